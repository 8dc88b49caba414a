// rpt: a reader with a memory on the command line. A host of librpt like any other: include/rpt.h
// is all it knows.
#include <CLI/CLI.hpp>
#include <chrono>

#include "apps/rpt/arguments.h"
#include "apps/rpt/failure_report.h"
#include "apps/rpt/handles.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/output.h"
#include "apps/rpt/settings.h"
#include "apps/rpt/standard_streams.h"

namespace rpt::cli {
namespace {

void print_version(const Settings& settings) {
    if (settings.json) {
        auto build = nlohmann::ordered_json::parse(rpt_build_info(), nullptr, false);
        print_json({{"version", rpt_version_string()}, {"build", std::move(build)}});
        return;
    }
    print_line(std::string("rpt ") + rpt_version_string());
    print_line(rpt_build_info());
    flush_output();
}

int parse_and_run(int argc, char** argv) {
    Settings settings;
    Action action;
    bool version = false;
    CLI::App app(
        "Reads text into a memory on disk and continues, searches and scores any text with it");
    app.name("rpt");
    app.footer(
        "Example:\n  rpt add notes ~/notes && rpt complete notes --prompt \"What we know of\" "
        "--explain");
    app.add_flag("-V,--version", version,
                 "Print versions of the library and of what it was built with");
    app.add_flag("--json", settings.json, "With --version: as JSON");
    Registry registry{app, settings, action};
    register_add(registry);
    register_search(registry);
    register_complete(registry);
    register_score(registry);
    register_chat(registry);
    CLI::App* memory = app.add_subcommand("memory", "Administration of a memory; needs no model");
    memory->require_subcommand(1);
    memory->footer("Example:\n  rpt memory list notes");
    register_memory_list(registry, *memory);
    register_memory_stat(registry, *memory);
    register_memory_show(registry, *memory);
    register_memory_delete(registry, *memory);
    register_memory_drop(registry, *memory);
    register_memory_rebuild_index(registry, *memory);
    register_memory_budget(registry, *memory);
    register_memory_compact(registry, *memory);
    register_memory_copy(registry, *memory);
    register_memory_check(registry, *memory);
    register_memory_upgrade(registry, *memory);
    CLI::App* model = app.add_subcommand("model", "Models: import, list, facts");
    model->require_subcommand(1);
    model->footer("Example:\n  rpt model import SmolLM2-135M-Instruct.Q4_1.gguf");
    register_model_info(registry, *model);
    register_model_import(registry, *model);
    register_model_list(registry, *model);
    register_bench(registry);

    try {
        app.parse(words_of(argc, argv));
        refuse_empty_values(app);
    } catch (const CLI::Success&) {
        print(app.help());
        flush_output();
        return kExitDone;
    } catch (const CLI::ParseError& problem) {
        throw Failure(std::string(problem.what()) + "; see rpt --help", kExitUsage);
    }
    if (version) {
        print_version(settings);
        return kExitDone;
    }
    if (!action) throw Failure("a command is required; see rpt --help", kExitUsage);
    const auto spent = std::chrono::steady_clock::now() - settings.start;
    watch_interrupts(settings.timeout_ms,
                     std::chrono::duration_cast<std::chrono::milliseconds>(spent).count());
    const int code = action(settings);
    flush_output();
    return code;
}

}  // namespace
}  // namespace rpt::cli

int main(int argc, char** argv) {
    using namespace rpt::cli;
    hold_standard_streams();
    const bool json = wants_json(argc, argv);
    return report_failures(json, [&] { return parse_and_run(argc, argv); });
}
