// rpt memory budget STORE SIZE: how much of the disk a memory, or one space of it, may take.
#include <CLI/App.hpp>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store, size;
    bool of_space = false;
};

int run(const Settings& settings, const Options& options) {
    const auto size =
        options.size == "none" ? std::optional<uint64_t>(0) : parse_size(options.size);
    if (!size || (*size == 0 && options.size != "none"))
        throw Failure("\"" + options.size + "\" is not of the form 512M or none", kExitUsage);
    Workplace place(settings);
    place.open_store(settings, options.store, Access::kWrite);
    Call call;
    Error error;
    if (options.of_space) {
        const Space space =
            open_space(place.store.get(), {settings.owner, settings.collections.front()});
        error.check(rpt_space_set_budget(space.get(), *size, call.get(), error.out()));
    } else {
        error.check(rpt_store_set_budget(place.store.get(), *size, call.get(), error.out()));
    }
    const rpt_store_stats stats = read_stats(place.store.get());
    place.close_store();
    if (settings.json) {
        print_json({{"budget_bytes", *size}, {"disk_bytes", stats.disk_bytes}});
    } else {
        print_line((*size == 0 ? "no budget" : "budget " + format_size(*size)) + ", " +
                   format_size(stats.disk_bytes) + " on disk");
        flush_output();
    }
    return kExitDone;
}

}  // namespace

void register_memory_budget(Registry& registry, CLI::App& memory) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_memory_command(
        registry, memory, "budget", "Bound what a memory may take on the disk, for good",
        "rpt memory budget notes 2G\n  rpt memory budget notes 64M --of-space --owner alice",
        options->store);
    command->add_option("SIZE", options->size, "Such as 512M; none lifts it")->required();
    command->add_flag("--of-space", options->of_space,
                      "Of the space of --owner and --collection instead of the whole memory");
    add_space_options(*command, registry.settings, false);
    add_wait_option(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
