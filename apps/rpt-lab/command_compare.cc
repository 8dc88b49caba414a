#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
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

double percent(double nats) {
    return 100 * (std::exp(nats) - 1);
}

Json difference_json(const eval::Difference& d) {
    return {{"nats", d.mean},
            {"low", d.low},
            {"high", d.high},
            {"share_below", d.share_below},
            {"perplexity_percent",
             {{"mean", percent(d.mean)}, {"low", percent(d.low)}, {"high", percent(d.high)}}}};
}

// A system by itself, over the documents of a collection or all.
Json system_json(const eval::System& system, const std::string& collection) {
    Json json = {{"system", system.name}, {"row", system.row}};
    double all = 0, bytes = 0;
    int64_t tokens = 0;
    for (const eval::Reading& reading : system.trainings) {
        double nats = 0;
        tokens = 0;
        bytes = 0;
        for (const eval::ReadDocument& d : reading.documents) {
            if (!collection.empty() && d.collection != collection) continue;
            nats += d.nats;
            tokens += d.tokens;
            bytes += static_cast<double>(d.bytes);
        }
        json["trainings"].push_back(nats / static_cast<double>(std::max<int64_t>(1, tokens)));
        all += nats / static_cast<double>(system.trainings.size());
    }
    const double mean = all / static_cast<double>(std::max<int64_t>(1, tokens));
    json["tokens"] = tokens;
    json["nats"] = mean;
    json["perplexity"] = std::exp(mean);
    if (bytes > 0) json["bits_per_byte"] = all / std::log(2.0) / bytes;
    return json;
}

template <typename Key>
Json parts_json(const std::map<Key, eval::Part>& parts) {
    Json json;
    for (const auto& [key, part] : parts) {
        std::string name;
        if constexpr (std::is_same_v<Key, std::string>) {
            name = key;
        } else {
            name = std::to_string(key);
        }
        json[name] = {{"tokens", part.tokens}, {"nats", part.a}, {"nats_against", part.b}};
        json[name].update(difference_json(part.difference));
    }
    return json;
}

Json group_json(const std::vector<eval::System>& systems, const eval::System& against,
                const eval::ComparisonOptions& options) {
    Json list = Json::array();
    for (const eval::System& system : systems) {
        Json json = system_json(system, options.collection);
        if (&system != &against) {
            json["difference"] = difference_json(eval::compare_systems(system, against, options));
            if (eval::chunks_fit(system, against)) {
                if (system.trainings[0].retrieves || against.trainings[0].retrieves)
                    json["by_gold"] = parts_json(eval::compare_by_gold(system, against, options));
                json["by_position"] =
                    parts_json(eval::compare_by_position(system, against, options));
            }
        }
        list.push_back(std::move(json));
    }
    return list;
}

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
            std::snprintf(line, sizeof line, "    %-8s %9lld tokens                        ",
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
                {"systems", group_json(systems, *against, args.options)}};
    std::set<std::string> collections;
    for (const eval::ReadDocument& d : systems[0].trainings[0].documents)
        collections.insert(d.collection);
    if (collections.size() > 1) {
        for (const std::string& name : collections) {
            eval::ComparisonOptions options = args.options;
            options.collection = name;
            all["collections"][name] = group_json(systems, *against, options);
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
    command->add_option("--resamples", args->options.resamples, "Of the bootstrap")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000000));
    command->add_option("--seed", args->options.seed, "Of the bootstrap")->capture_default_str();
    command->add_option("--out", args->out, "The comparison as JSON");
    command->footer(
        "Example: rpt-lab compare txl=txl.json retro=retro.json rpt=rpt.1.json,rpt.2.json");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run(*args, common); }; });
}

}  // namespace rpt::lab
