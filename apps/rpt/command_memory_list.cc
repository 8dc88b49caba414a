// rpt memory list STORE: every document of every space, or of the one that was named.
#include <CLI/App.hpp>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store, owner, collection;  // empty: any
};

int run(const Settings& settings, const Options& options) {
    Workplace place(settings);
    place.open_store(settings, options.store, Access::kRead);
    auto documents = nlohmann::ordered_json::array();
    for (const SpaceName& name : list_spaces(place.store.get())) {
        if (!options.owner.empty() && options.owner != name.owner) continue;
        if (!options.collection.empty() && options.collection != name.collection) continue;
        const Space space = open_space(place.store.get(), name);
        list_documents(space.get(), [&](const std::string& key, const rpt_doc_info& info) {
            if (settings.json) {
                documents.push_back(document_json(name, key, info));
                return;
            }
            print_line(printable(name.owner + "/" + name.collection + "  " + key) + "  " +
                       format_size(info.bytes_accepted) + "  " + format_count(info.tokens) +
                       " tokens  " + format_count(info.chunks) + " chunks  " +
                       format_time(info.timestamp_ms) +
                       ((info.flags & RPT_DOC_FINISHED) != 0 ? "" : "  unfinished"));
        });
    }
    if (settings.json) print_json({{"documents", documents}});
    flush_output();
    return kExitDone;
}

}  // namespace

void register_memory_list(Registry& registry, CLI::App& memory) {
    auto options = std::make_shared<Options>();
    CLI::App* command =
        add_memory_command(registry, memory, "list", "List the documents of a memory",
                           "rpt memory list notes", options->store);
    command->add_option("--owner", options->owner, "Only this owner's (default: all)")
        ->type_name("NAME");
    command
        ->add_option("--collection", options->collection, "Only of this collection (default: all)")
        ->type_name("NAME");
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
