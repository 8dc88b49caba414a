// rpt add STORE PATH...: read files, directories or stdin into a memory; watch them.
#include <CLI/App.hpp>
#include <algorithm>
#include <chrono>
#include <utility>

#include "apps/rpt/add_run.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/memory_place.h"
#include "apps/rpt/output.h"
#include "apps/rpt/tree_watch.h"

namespace rpt::cli {
namespace {

using Clock = std::chrono::steady_clock;

// How long a long run reads before it looks whether something else has changed.
constexpr auto kAttention = std::chrono::seconds(1);

void check_usage(const AddOptions& options) {
    const auto n_stdin = std::ranges::count(options.paths, "-");
    if (n_stdin > 1) throw Failure("stdin can be read once only", kExitUsage);
    if (options.watch && n_stdin > 0)
        throw Failure("--watch watches files and directories, stdin is read as it arrives anyway",
                      kExitUsage);
    check_place_of_memory(options.store, options.paths);
}

// Keeps the memory in step with the files until an interrupt.
class Watcher {
  public:
    Watcher(const Settings& settings, const AddOptions& options)
        : settings_(settings),
          watch_(options.store),
          report_(settings),
          run_(settings, options, [this](const auto& folder) { watch_.add_folder(folder); }) {
        for (const std::string& path : options.paths) watch_parent(path);
    }

    AddOutcome follow() {
        AddOutcome outcome = look();
        if (watch_.is_out_of_watches())
            remark(settings_,
                   "the system gives no more watches (fs.inotify.max_user_watches); looking at all "
                   "files every few seconds instead");
        // Nothing of what was named is there: more likely a slip of the pen than a wish.
        const bool was_slip = run_.misses_all_paths();
        while (!interrupted() && !reader_left() && !was_slip) {
            run_.check_memory();
            if (watch_.wait(run_.next_reading(), run_.misses_paths())) outcome = look();
        }
        run_.close();
        return outcome;
    }

  private:
    // Editors write beside a file and rename; a folder may be replaced as a whole.
    void watch_parent(const std::string& path) {
        std::error_code ignored;
        const auto whole = std::filesystem::absolute(path, ignored).lexically_normal();
        const auto named = whole.has_filename() ? whole : whole.parent_path();
        if (!std::filesystem::is_directory(named, ignored)) watch_.add_folder(named.parent_path());
    }

    AddOutcome look() {
        const auto start = Clock::now();
        last_look_ = start;
        const bool first = std::exchange(is_first_, false);
        const AddOutcome outcome = run_.pass([this] { look_meanwhile(); });
        if (first || outcome.changed_memory())
            report_.tell(outcome, std::chrono::duration<double>(Clock::now() - start).count());
        else
            report_.tell_failures(outcome);
        return outcome;
    }

    // A file that takes long must not keep an edit of another one out.
    void look_meanwhile() {
        if (is_nested_ || Clock::now() - last_look_ < kAttention || !watch_.has_changes()) return;
        is_nested_ = true;
        watch_.wait(std::nullopt, false);
        look();
        is_nested_ = false;
    }

    const Settings& settings_;
    TreeWatch watch_;
    AddReport report_;
    AddRun run_;
    Clock::time_point last_look_;
    bool is_first_ = true, is_nested_ = false;
};

AddOutcome add_once(const Settings& settings, const AddOptions& options, AddReport& report) {
    const auto start = Clock::now();
    AddRun run(settings, options, [](const auto&) {});
    AddOutcome outcome = run.pass();
    run.close();
    report.tell(outcome, std::chrono::duration<double>(Clock::now() - start).count());
    return outcome;
}

int run(const Settings& settings, const AddOptions& options) {
    check_usage(options);
    AddReport report(settings);
    const AddOutcome outcome =
        options.watch ? Watcher(settings, options).follow() : add_once(settings, options, report);
    if (outcome.failed.empty()) return kExitDone;
    report.tell_count(outcome);
    return kExitFailed;
}

}  // namespace

void register_add(Registry& registry) {
    auto options = std::make_shared<AddOptions>();
    CLI::App* command =
        add_command(registry, registry.app, "add", "Read files, directories or stdin into a memory",
                    "rpt add notes ~/notes README.md\n  tail -f log | rpt add notes - --key log");
    command->add_option("STORE", options->store, "Directory of the memory; made if it is not there")
        ->required();
    command
        ->add_option("PATH", options->paths,
                     "Files, directories (as .gitignore says), or - for stdin")
        ->required();
    command->add_option("--key", options->key, "Name of the document (default: its path; stdin)")
        ->type_name("NAME");
    command->add_flag("--replace", options->replace,
                      "Let new content take the place of a document of that name");
    command->add_flag("--prune", options->prune,
                      "Delete documents of files that are no longer below the directories given");
    static const std::map<std::string, int32_t> codecs = {{"fp16", RPT_STATES_FP16},
                                                          {"int8", RPT_STATES_INT8},
                                                          {"int4", RPT_STATES_INT4},
                                                          {"low-rank", RPT_STATES_LOW_RANK}};
    command
        ->add_option("--states", registry.settings.state_codec,
                     "How states are kept on the disk: fp16, int8, int4 (default) or low-rank")
        ->type_name("CODEC")
        ->transform(CLI::CheckedTransformer(codecs));
    command->add_flag("--html-source", registry.settings.text.html_source,
                      "Keep HTML files as they stand, with their tags (default: their text)");
    command->add_flag("--watch", options->watch,
                      "Go on: read what changes, delete what is removed, until Ctrl-C");
    add_space_options(*command, registry.settings, false);
    add_text_options(*command, registry.settings);
    add_wait_option(*command, registry.settings);
    add_model_options(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
