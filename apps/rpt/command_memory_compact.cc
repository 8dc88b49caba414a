// rpt memory compact STORE: erases what deletions left and gives the space back.
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
    const uint64_t before = read_stats(place.store.get()).disk_bytes;
    {
        Progress progress("compacting", 0, Progress::Unit::kCount, settings.quiet);
        Call call(&progress);
        wait_while_busy(settings, [&] {
            Error error;
            error.check(rpt_store_compact(place.store.get(), call.get(), error.out()));
        });
    }
    const uint64_t after = read_stats(place.store.get()).disk_bytes;
    place.close_store();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (settings.json) {
        print_json({{"disk_bytes_before", before}, {"disk_bytes", after}, {"seconds", seconds}});
    } else {
        print_line("compacted " + format_size(before) + " to " + format_size(after) + " in " +
                   format_seconds(seconds));
        flush_output();
    }
    return kExitDone;
}

}  // namespace

void register_memory_compact(Registry& registry, CLI::App& memory) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_memory_command(
        registry, memory, "compact", "Erase what was deleted from the disk and give the space back",
        "rpt memory compact notes", options->store);
    add_wait_option(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
