#include <cstdio>
#include <iostream>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/comparison_tables.h"
#include "apps/rpt-lab/evaluation_file.h"
#include "apps/rpt-lab/text_files.h"
#include "base/error.h"

namespace rpt::lab {
namespace {

using Json = nlohmann::ordered_json;

struct CompareArguments {
    std::vector<std::string> systems;
    std::string row, against, out;
    eval::ComparisonOptions options;
};

std::string interval(const Json& d) {
    char text[120];
    std::snprintf(text, sizeof text, "%+.4f [%+.4f, %+.4f]  %+6.2f %% [%+.2f, %+.2f]",
                  d["nats"].get<double>(), d["low"].get<double>(), d["high"].get<double>(),
                  d["perplexity_percent"]["mean"].get<double>(),
                  d["perplexity_percent"]["low"].get<double>(),
                  d["perplexity_percent"]["high"].get<double>());
    return text;
}

void print_group(const Json& group) {
    for (const Json& system : group) {
        char line[160];
        std::snprintf(line, sizeof line, "%-20s %-8s %3zu  %7.4f  %10.3f  ",
                      system["system"].get<std::string>().c_str(),
                      system["row"].get<std::string>().c_str(), system["trainings"].size(),
                      system["nats"].get<double>(), system["perplexity"].get<double>());
        std::cout << line;
        if (system.contains("difference")) std::cout << interval(system["difference"]);
        std::cout << "\n";
        if (!system.contains("by_gold")) continue;
        for (const auto& [name, part] : system["by_gold"].items()) {
            std::snprintf(line, sizeof line, "    %-10s %9lld tokens                      ",
                          name.c_str(), static_cast<long long>(part["tokens"].get<int64_t>()));
            std::cout << line << interval(part) << "\n";
        }
    }
}

int run(const CompareArguments& args, const Common& common) {
    std::vector<eval::System> systems;
    for (const std::string& text : args.systems) systems.push_back(read_system(text, args.row));
    eval::require_same_documents(systems);
    const eval::System* against = &systems[0];
    if (!args.against.empty()) {
        against = nullptr;
        for (const eval::System& system : systems) {
            if (system.name == args.against) against = &system;
        }
        if (against == nullptr)
            throw Error(Status::kArgument, "rpt", "no system is called \"" + args.against + "\"");
    }
    if (systems[0].trainings[0].documents.empty())
        throw Error(Status::kArgument, "rpt", "the evaluations hold no document");
    Json all = {{"against", against->name},
                {"documents", systems[0].trainings[0].documents.size()},
                {"resamples", args.options.resamples},
                {"bootstrap_seed", args.options.seed},
                {"systems", comparison_json(systems, *against, args.options)}};
    std::set<std::string> collections;
    for (const eval::ReadDocument& d : systems[0].trainings[0].documents)
        collections.insert(d.collection);
    if (collections.size() > 1) {
        for (const std::string& name : collections) {
            eval::ComparisonOptions options = args.options;
            options.collection = name;
            all["collections"][name] = comparison_json(systems, *against, options);
        }
    }
    if (!args.out.empty()) write_file(args.out, all.dump(1) + "\n");
    if (common.json) {
        std::cout << all.dump() << "\n";
        return kDone;
    }
    std::cout << "system               row      runs     nats  perplexity  difference to "
              << against->name << ": nats a token, perplexity (95 %)\n";
    print_group(all["systems"]);
    if (all.contains("collections")) {
        for (const auto& [name, group] : all["collections"].items()) {
            std::cout << "\n" << name << "\n";
            print_group(group);
        }
    }
    return kDone;
}

}  // namespace

void add_compare_command(CLI::App& app, Common& common) {
    CLI::App* command =
        app.add_subcommand("compare", "Compare systems that were evaluated on the same documents");
    const auto args = std::make_shared<CompareArguments>();
    command
        ->add_option(
            "systems", args->systems,
            "Files of rpt-lab eval --out: FILE, NAME=FILE, NAME=SEED1,SEED2, NAME:ROW=FILE")
        ->required()
        ->expected(2, -1);
    command->add_option("--row", args->row,
                        "Read this row of every system; otherwise own, bm25 where neighbours are "
                        "given, none where there is no memory");
    command->add_option("--against", args->against,
                        "The system that the others are compared with; the first if not given");
    command->add_option("--resamples", args->options.resamples, "Samples that the bootstrap draws")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000000));
    command->add_option("--seed", args->options.seed, "Seed of the bootstrap")
        ->capture_default_str();
    command->add_option("--out", args->out, "The comparison as JSON");
    command->footer(
        "Example: rpt-lab compare txl=txl.json retro=retro.json rpt=rpt.1.json,rpt.2.json");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run(*args, common); }; });
}

}  // namespace rpt::lab
