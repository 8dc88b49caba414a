// rpt memory drop STORE: a whole space out of a memory.
#include <CLI/App.hpp>
#include <unistd.h>

#include <cerrno>

#include "apps/rpt/interrupt.h"
#include "apps/rpt/memory_access.h"
#include "apps/rpt/output.h"
#include "apps/rpt/waiting.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store;
    bool yes = false, all = false;
};

bool confirmed(const std::string& name, uint64_t documents) {
    complain("drop " + printable(name) + " with " + std::to_string(documents) +
             (documents == 1 ? " document? [y/N] " : " documents? [y/N] "));
    char answer = 'n';
    const Received got = receive(STDIN_FILENO, &answer, 1);
    if (got.problem == ECANCELED) fail_stopped("nothing was dropped");
    return answer == 'y' || answer == 'Y';
}

int run(const Settings& settings, const Options& options) {
    Workplace place(settings);
    place.open_store(settings, options.store, Access::kWrite);
    std::vector<SpaceName> names = {{settings.owner, settings.collections.front()}};
    if (options.all) {
        names = list_spaces(place.store.get());
        std::erase_if(names, [&](const SpaceName& name) { return name.owner != settings.owner; });
        if (names.empty())
            throw Failure("owner \"" + settings.owner + "\" has nothing in this memory");
    }
    const std::string what =
        settings.owner + "/" + (options.all ? "*" : settings.collections.front());
    uint64_t documents = 0;
    for (const SpaceName& name : names) {
        const Space space = open_space(place.store.get(), name);
        list_documents(space.get(), [&](const std::string&, const rpt_doc_info&) { ++documents; });
    }
    // A person at a terminal is asked; a script has said what it means.
    if (!options.yes && isatty(STDIN_FILENO) == 1 && !confirmed(what, documents))
        throw Failure("nothing was dropped");
    for (const SpaceName& name : names) {
        Call call;
        Error error;
        error.check(rpt_space_drop(place.store.get(), name.owner.c_str(), name.collection.c_str(),
                                   call.get(), error.out()));
    }
    place.close_store();
    if (settings.json) {
        print_json({{"owner", settings.owner},
                    {"collection", options.all ? "*" : settings.collections.front()},
                    {"documents", documents}});
    } else {
        print_line("dropped " + printable(what) + " with " + std::to_string(documents) +
                   (documents == 1 ? " document" : " documents"));
        flush_output();
    }
    return kExitDone;
}

}  // namespace

void register_memory_drop(Registry& registry, CLI::App& memory) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_memory_command(
        registry, memory, "drop", "Delete one owner's collection with all in it, or the owner",
        "rpt memory drop notes --owner alice --collection drafts", options->store);
    command->add_flag("-y,--yes", options->yes, "Do not ask");
    command->add_flag("--all-collections", options->all, "Every collection of the owner");
    add_space_options(*command, registry.settings, false);
    add_wait_option(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
