// rpt memory delete STORE KEY...: documents out of a memory.
#include <CLI/App.hpp>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/output.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store;
    std::vector<std::string> keys;
};

int run(const Settings& settings, const Options& options) {
    Workplace place(settings);
    place.open_store(settings, options.store, Access::kWrite);
    const SpaceName name{settings.owner, settings.collections.front()};
    const Space space = open_space(place.store.get(), name);
    // All keys must be there before the first one goes: a slip of the pen deletes nothing.
    for (const std::string& key : options.keys) {
        rpt_doc_info info = {};
        info.struct_size = sizeof(info);
        Error error;
        error.check(rpt_doc_stat(space.get(), key.c_str(), &info, error.out()));
    }
    for (const std::string& key : options.keys) {
        Error error;
        error.check(rpt_doc_delete(space.get(), key.c_str(), error.out()));
    }
    place.close_store();
    if (settings.json) {
        print_json({{"deleted", options.keys}});
    } else {
        for (const std::string& key : options.keys) print_line("deleted " + printable(key));
        flush_output();
    }
    return kExitDone;
}

}  // namespace

void register_memory_delete(Registry& registry, CLI::App& memory) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_memory_command(registry, memory, "delete", "Delete documents",
                                           "rpt memory delete notes old.md", options->store);
    command->add_option("KEY", options->keys, "Names of documents")->required();
    add_space_options(*command, registry.settings, false);
    add_wait_option(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
