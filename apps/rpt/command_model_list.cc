// rpt model list: the models that can be named.
#include <CLI/App.hpp>

#include "apps/rpt/handles.h"
#include "apps/rpt/model_location.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

int run(const Settings& settings) {
    const std::vector<FoundModel> models = list_models();
    const std::string preferred = find_named_model(kDefaultModel);
    if (settings.json) {
        auto list = nlohmann::ordered_json::array();
        for (const FoundModel& model : models)
            list.push_back({{"name", model.name},
                            {"path", model.path},
                            {"shipped", model.shipped},
                            {"bytes", model.bytes},
                            {"memory", model.memory},
                            {"default", model.path == preferred}});
        print_json({{"models", list}, {"folder", user_models()}, {"default", kDefaultModel}});
        return kExitDone;
    }
    for (const FoundModel& model : models) {
        std::string line = model.name;
        line += model.shipped ? "  shipped  " : "  imported  ";
        line.append(format_size(model.bytes));
        if (!model.memory.empty()) line += ", memory file";
        if (model.path == preferred) line += ", default";
        line.append("  ").append(model.path);
        print_line(line);
    }
    if (preferred.empty())
        remark(settings,
               std::string("the default model ")
                   .append(kDefaultModel)
                   .append(" was not imported yet; the first command that needs it does, or "
                           "says how to get it"));
    flush_output();
    return kExitDone;
}

}  // namespace

void register_model_list(Registry& registry, CLI::App& model) {
    CLI::App* command =
        add_command(registry, model, "list", "Show the models that can be named: shipped, imported",
                    "rpt model list");
    command->callback([&registry] { registry.action = run; });
}

}  // namespace rpt::cli
