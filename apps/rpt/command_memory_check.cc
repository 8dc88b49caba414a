// rpt memory check STORE: looks for damage.
#include <CLI/App.hpp>
#include <chrono>
#include <exception>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store;
    bool quick = false, deep = false;
};

struct Findings {
    const Settings& settings;
    nlohmann::ordered_json list;
    std::exception_ptr problem;
};

int32_t take(void* user, const rpt_finding* finding) {
    auto* findings = static_cast<Findings*>(user);
    const bool damage = finding->severity == RPT_FINDING_DAMAGE;
    const std::string text(view(finding->text));
    try {
        if (findings->settings.json) {
            findings->list.push_back({{"severity", damage ? "damage" : "note"}, {"text", text}});
        } else {
            print_line(std::string(damage ? "damage: " : "note: ") + printable(text));
        }
        return 0;
    } catch (...) {  // the library's caller waits for it outside
        findings->problem = std::current_exception();
        return -1;
    }
}

int run(const Settings& settings, const Options& options) {
    const auto start = std::chrono::steady_clock::now();
    Workplace place(settings);
    if (options.deep)
        place.open_memory(settings, options.store, Access::kRead);
    else
        place.open_store(settings, options.store, Access::kRead);
    const int32_t level = options.deep    ? RPT_CHECK_DEEP
                          : options.quick ? RPT_CHECK_QUICK
                                          : RPT_CHECK_FULL;
    Findings findings{settings, nlohmann::ordered_json::array(), nullptr};
    uint64_t damaged = 0;
    {
        Progress progress("checking", 0, Progress::Unit::kCount, settings.quiet);
        Call call(&progress);
        Error error;
        const rpt_status status = rpt_store_check(place.store.get(), level, call.get(), take,
                                                  &findings, &damaged, error.out());
        if (findings.problem) std::rethrow_exception(findings.problem);
        error.check(status);
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (settings.json) {
        print_json({{"damaged", damaged}, {"findings", findings.list}, {"seconds", seconds}});
    } else {
        if (damaged == 0) print_line("no damage found in " + format_seconds(seconds));
        flush_output();
    }
    if (damaged != 0)
        throw ToldFailure(Failure("\"" + options.store + "\" is damaged in " +
                                      std::to_string(damaged) +
                                      (damaged == 1 ? " place" : " places"),
                                  kExitFailed, RPT_ERR_CORRUPT));
    return kExitDone;
}

}  // namespace

void register_memory_check(Registry& registry, CLI::App& memory) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_memory_command(registry, memory, "check",
                                           "Look for damage; exits with 1 if there is any",
                                           "rpt memory check notes", options->store);
    auto* quick =
        command->add_flag("--quick", options->quick, "Structure, catalogue and sums alone");
    command
        ->add_flag("--deep", options->deep,
                   "Also encode every text again with the model and compare")
        ->excludes(quick);
    add_model_options(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
