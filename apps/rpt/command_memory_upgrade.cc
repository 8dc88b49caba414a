// rpt memory upgrade STORE: an older format becomes this version's.
#include <CLI/App.hpp>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/output.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store;
};

int run(const Settings& settings, const Options& options) {
    Workplace place(settings);
    {
        Progress progress("upgrading", 0, Progress::Unit::kCount, settings.quiet);
        Call call(&progress);
        wait_while_busy(settings, [&] {
            Error error;
            error.check(
                rpt_store_upgrade(place.env.get(), options.store.c_str(), call.get(), error.out()));
        });
    }
    place.open_store(settings, options.store, Access::kRead);
    const rpt_store_stats stats = read_stats(place.store.get());
    if (settings.json) {
        print_json({{"format_version", stats.format_version}, {"documents", stats.documents}});
    } else {
        print_line("format " + std::to_string(stats.format_version) + ", " +
                   std::to_string(stats.documents) + " documents");
        flush_output();
    }
    return kExitDone;
}

}  // namespace

void register_memory_upgrade(Registry& registry, CLI::App& memory) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_memory_command(
        registry, memory, "upgrade", "Bring a memory of an older version to this one's format",
        "rpt memory upgrade notes", options->store);
    add_wait_option(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
