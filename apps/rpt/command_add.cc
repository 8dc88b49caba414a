// rpt add STORE PATH...: read files, directories or stdin into a memory; watch them.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "apps/rpt/add_stdin.h"
#include "apps/rpt/file_walk.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"
#include "apps/rpt/text_file.h"
#include "apps/rpt/tree_watch.h"
#include "apps/rpt/workplace.h"

namespace rpt::cli {
namespace {

constexpr uint64_t kFlushBytes =
    1 << 20;  // of text between two flushes of a file: bounds what waits in memory

struct Options {
    std::string store, key;
    std::vector<std::string> paths;
    bool replace = false, watch = false;
};

struct Totals {
    uint64_t documents = 0, bytes = 0, tokens = 0, chunks = 0, unchanged = 0, deleted = 0;
    std::vector<SkippedFile> skipped;
    std::vector<SkippedFile> failed;

    void count(const rpt_doc_info& info) {
        ++documents;
        bytes += info.bytes_accepted;
        tokens += info.tokens;
        chunks += info.chunks;
    }
};

struct Wanted {
    FoundFile file;
    bool replace = false;
};

// One run over what the paths stand for, and again for every change while watching. The model is
// loaded when the first file turns out to be new: a tree that is known already costs its hashing.
class Adder {
  public:
    Adder(const Settings& settings, const Options& options)
        : settings_(settings), options_(options), place_(settings) {}

    Totals run() {
        Totals totals;
        const Walk walk = find_files();
        totals.skipped = walk.skipped;
        const std::vector<Wanted> wanted = choose(walk, totals);
        const bool from_stdin = !watching_ && reads_stdin();
        if (!wanted.empty() || from_stdin) open_for_writing();
        read(wanted, from_stdin, totals);
        if (watching_) delete_missing(walk, totals);
        for (const FoundFile& file : walk.files) seen_.insert(file.key);
        watching_ = options_.watch;
        return totals;
    }

    void close() { place_.close_store(); }

  private:
    bool reads_stdin() const { return std::ranges::count(options_.paths, "-") > 0; }

    Walk find_files() const {
        Walk walk;
        for (const std::string& path : options_.paths) {
            if (path == "-") continue;
            // While watching, what is gone for now is no failure.
            if (watching_ && !std::filesystem::exists(path)) continue;
            walk_path(path, options_.store, walk);
        }
        if (options_.key.empty()) return walk;
        const size_t documents = walk.files.size() + (reads_stdin() ? 1 : 0);
        if (documents != 1)
            throw Failure(
                "--key names one document, but the paths hold " + std::to_string(documents),
                kExitUsage);
        for (FoundFile& file : walk.files) file.key = options_.key;
        return walk;
    }

    // What must be read: all that is text and not in the memory with this content.
    std::vector<Wanted> choose(const Walk& walk, Totals& totals) {
        open_for_looking();
        std::vector<Wanted> wanted;
        Progress progress("looking", walk.files.size(), Progress::Unit::kCount, settings_.quiet);
        for (const FoundFile& file : walk.files) {
            if (interrupted()) fail_interrupted();
            const FileStamp stamp = FileStamp::of(file.path);
            if (watching_ && stamps_[file.key] == stamp) continue;
            stamps_[file.key] = stamp;
            const FileLook look = look_at(file.path, settings_.text);
            if (look.not_text) {
                totals.skipped.push_back({file.key, *look.not_text});
            } else {
                consider(file, look, wanted, totals);
            }
            progress.add(1);
        }
        return wanted;
    }

    void consider(const FoundFile& file, const FileLook& look, std::vector<Wanted>& wanted,
                  Totals& totals) {
        const auto info = stored(file.key);
        const bool finished = info && (info->flags & RPT_DOC_FINISHED) != 0;
        if (finished && std::ranges::equal(info->content_hash, look.hash)) {
            ++totals.unchanged;
            totals.skipped.push_back({file.key, "unchanged"});
        } else if (finished && !options_.replace && !options_.watch) {
            totals.failed.push_back(
                {file.key, "in the memory already with other content; give --replace"});
        } else {
            // What an interrupted run left behind is no document to protect.
            wanted.push_back({file, info.has_value()});
        }
    }

    std::optional<rpt_doc_info> stored(const std::string& key) {
        if (place_.spaces.empty()) return std::nullopt;
        rpt_doc_info info = {};
        info.struct_size = sizeof(info);
        Error error;
        const rpt_status status =
            rpt_doc_stat(place_.spaces.front().get(), key.c_str(), &info, error.out());
        if (status == RPT_ERR_NOT_FOUND) return std::nullopt;
        error.check(status);
        return info;
    }

    // A memory that is not there yet holds nothing.
    void open_for_looking() {
        if (place_.store) return;
        std::error_code ignored;
        if (!std::filesystem::exists(std::filesystem::path(options_.store) / "store.sqlite",
                                     ignored))
            return;
        place_.open_store(settings_, options_.store, Access::kRead);
        rpt_space* opened = nullptr;
        Error error;
        const rpt_status status =
            rpt_space_open(place_.store.get(), settings_.owner.c_str(),
                           settings_.collections.front().c_str(), 0, &opened, error.out());
        if (status == RPT_ERR_NOT_FOUND) return;
        error.check(status);
        place_.spaces.emplace_back(opened);
    }

    void open_for_writing() {
        if (writing_) return;
        place_.close_store();
        place_.open_model(settings_);
        place_.open_store(settings_, options_.store, Access::kCreate);
        place_.open_spaces(settings_, true);
        writing_ = true;
    }

    void read(const std::vector<Wanted>& wanted, bool from_stdin, Totals& totals) {
        uint64_t total = 0, before = 0;
        for (const Wanted& one : wanted) total += one.file.size;
        Progress progress("reading", from_stdin ? 0 : total, Progress::Unit::kBytes,
                          settings_.quiet);
        for (const Wanted& one : wanted) {
            if (interrupted()) fail_interrupted();
            read_file(one, progress, totals);
            before += one.file.size;
            progress.set(before);
        }
        if (!from_stdin) return;
        totals.count(add_stdin(settings_, place_.spaces.front().get(),
                               options_.key.empty() ? "stdin" : options_.key, options_.replace,
                               progress));
    }

    void read_file(const Wanted& one, Progress& progress, Totals& totals) {
        TextFile file(one.file.path, settings_.text);
        if (!file.is_open()) {
            // Removed since it was found: the next look tells.
            if (watching_) return;
            throw Failure("\"" + one.file.key + "\": " + file.problem());
        }
        std::error_code ignored;
        const std::string uri =
            std::filesystem::absolute(one.file.path, ignored).lexically_normal().generic_string();
        const Document document = begin_document(place_.spaces.front().get(), one.file.key, uri,
                                                 modified_ms(one.file.path),
                                                 writing_flags(settings_, one.replace));
        std::string piece;
        for (uint64_t unflushed = 0;;) {
            const auto got = file.read_piece(piece);
            if (!got && interrupted()) fail_interrupted();
            if (!got) throw Failure("\"" + one.file.key + "\": " + file.problem());
            if (*got == 0) break;
            Call call;
            Error error;
            error.check(
                rpt_doc_append(document.get(), piece.data(), *got, call.get(), error.out()));
            unflushed += *got;
            if (unflushed >= kFlushBytes) {
                error.check(rpt_doc_flush(document.get(), 0, call.get(), nullptr, error.out()));
                unflushed = 0;
            }
            progress.add(*got);
        }
        totals.count(finish_document(document));
    }

    // Files that a former run found and this one does not.
    void delete_missing(const Walk& walk, Totals& totals) {
        std::set<std::string> now;
        for (const FoundFile& file : walk.files) now.insert(file.key);
        for (const std::string& key : seen_) {
            if (now.contains(key)) continue;
            stamps_.erase(key);
            if (!stored(key)) continue;
            open_for_writing();
            Error error;
            error.check(rpt_doc_delete(place_.spaces.front().get(), key.c_str(), error.out()));
            ++totals.deleted;
        }
        std::erase_if(seen_, [&](const std::string& key) { return !now.contains(key); });
    }

    const Settings& settings_;
    const Options& options_;
    Workplace place_;
    bool writing_ = false, watching_ = false;
    std::map<std::string, FileStamp> stamps_;
    std::set<std::string> seen_;
};

void report(const Settings& settings, const Totals& totals, double seconds) {
    if (settings.json) {
        nlohmann::ordered_json json = {
            {"documents", totals.documents},    {"bytes", totals.bytes},
            {"tokens", totals.tokens},          {"chunks", totals.chunks},
            {"skipped", totals.skipped.size()}, {"seconds", seconds},
            {"unchanged", totals.unchanged},    {"deleted", totals.deleted}};
        const auto list = [](const std::vector<SkippedFile>& files) {
            auto out = nlohmann::ordered_json::array();
            for (const SkippedFile& file : files)
                out.push_back({{"path", file.path}, {"reason", file.reason}});
            return out;
        };
        json["skipped_paths"] = list(totals.skipped);
        json["failed_paths"] = list(totals.failed);
        print_json(json);
        return;
    }
    for (const SkippedFile& file : totals.skipped) {
        if (file.reason != "unchanged")
            remark(settings, "skipped " + printable(file.path) + ": " + file.reason);
    }
    print_line("added " + format_count(totals.documents) +
               (totals.documents == 1 ? " document: " : " documents: ") +
               format_size(totals.bytes) + ", " + format_count(totals.tokens) + " tokens, " +
               format_count(totals.chunks) + " chunks in " + format_seconds(seconds) +
               (totals.deleted > 0 ? "; deleted " + format_count(totals.deleted) : std::string()) +
               "; skipped " + format_count(totals.skipped.size()) + ", of which unchanged " +
               format_count(totals.unchanged));
    flush_output();
}

int run(const Settings& settings, const Options& options) {
    if (std::ranges::count(options.paths, "-") > 1)
        throw Failure("stdin can be read once only", kExitUsage);
    if (options.watch && std::ranges::count(options.paths, "-") > 0)
        throw Failure("--watch watches files and directories, stdin is read as it arrives anyway",
                      kExitUsage);
    Adder adder(settings, options);
    std::optional<TreeWatch> watch;
    if (options.watch) watch.emplace(options.paths, options.store);
    Totals totals;
    for (bool again = true; again;) {
        const auto start = std::chrono::steady_clock::now();
        totals = adder.run();
        if (!watch || totals.documents + totals.deleted > 0 || !totals.failed.empty())
            report(settings, totals,
                   std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        again = watch && watch->wait();
    }
    adder.close();
    if (totals.failed.empty()) return kExitDone;
    const SkippedFile& first = totals.failed.front();
    const size_t others = totals.failed.size() - 1;
    throw ToldFailure(
        Failure("\"" + first.path + "\": " + first.reason +
                (others > 0 ? " (and " + std::to_string(others) + " others)" : "")));
}

}  // namespace

void register_add(Registry& registry) {
    auto options = std::make_shared<Options>();
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
