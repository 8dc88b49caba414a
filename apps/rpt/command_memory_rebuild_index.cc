// rpt memory rebuild-index STORE: the search index once more from the stored keys.
#include <CLI/App.hpp>
#include <chrono>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store;
};

int run(const Settings& settings, const Options& options) {
    const auto start = std::chrono::steady_clock::now();
    Workplace place(settings);
    place.open_store(settings, options.store, Access::kWrite);
    {
        Progress progress("building the index", 0, Progress::Unit::kCount, settings.quiet);
        Call call(&progress);
        Error error;
        error.check(rpt_store_rebuild_index(place.store.get(), call.get(), error.out()));
    }
    const rpt_store_stats stats = read_stats(place.store.get());
    place.close_store();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (settings.json) {
        print_json(
            {{"chunks", stats.chunks}, {"index_bytes", stats.index_bytes}, {"seconds", seconds}});
    } else {
        print_line("index of " + format_count(stats.chunks) + " chunks built in " +
                   format_seconds(seconds) + ", " + format_size(stats.index_bytes));
        flush_output();
    }
    return kExitDone;
}

}  // namespace

void register_memory_rebuild_index(Registry& registry, CLI::App& memory) {
    auto options = std::make_shared<Options>();
    CLI::App* command =
        add_memory_command(registry, memory, "rebuild-index", "Build the search index again",
                           "rpt memory rebuild-index notes", options->store);
    add_wait_option(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
