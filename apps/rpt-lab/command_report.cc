// Every system side by side, beside the paper's figures: tables as Markdown and JSON, plots, a
// page.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/comparison_tables.h"
#include "apps/rpt-lab/evaluation_file.h"
#include "apps/rpt-lab/experiment.h"
#include "apps/rpt-lab/report_tables.h"
#include "apps/rpt-lab/text_files.h"
#include "base/error.h"

namespace rpt::lab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Experiment = std::map<std::string, std::vector<Training>>;

struct ReportArguments {
    std::string folder, out, paper, python, draw, speed, setting;
    std::string baseline = "transformer_xl", second = "retro";
    eval::ComparisonOptions options;
};

// The trainings of an entry whose evaluation has its row; empty if none has.
eval::System system_of(const Entry& entry) {
    eval::System system;
    system.name = entry.name();
    for (const Training& training : *entry.trainings) {
        std::string row = entry.row();
        if (!row.empty() && !training.evaluation["rows"].contains(row)) continue;
        system.trainings.push_back(reading_of(training.evaluation, training.file, row));
        system.row = row;
    }
    return system;
}

Measured measure(const std::vector<Entry>& entries, const std::string& baseline,
                 const eval::ComparisonOptions& chosen) {
    std::vector<eval::System> systems;
    for (const Entry& entry : entries) {
        if (entry.trainings == nullptr) continue;
        eval::System system = system_of(entry);
        if (!system.trainings.empty()) systems.push_back(std::move(system));
    }
    const auto against = std::find_if(systems.begin(), systems.end(),
                                      [&](const eval::System& s) { return s.name == baseline; });
    if (against == systems.end())
        throw Error(Status::kArgument, "rpt",
                    "the folder has no evaluated system \"" + baseline + "\" to compare with");
    eval::require_same_documents(systems);
    std::set<std::string> corpora;
    for (const auto& document : against->trainings[0].documents)
        corpora.insert(document.collection);
    Measured measured;
    for (const std::string& corpus : corpora) {
        eval::ComparisonOptions options = chosen;
        options.collection = corpus;
        for (const Json& system : comparison_json(systems, *against, options))
            measured[corpus][system["system"].get<std::string>()] = system;
    }
    return measured;
}

// Seconds a token against the baseline's, from interleaved steps (`rpt-lab speed --json`).
std::map<std::string, double> read_ratios(const std::string& file) {
    std::map<std::string, double> ratios;
    if (file.empty()) return ratios;
    const Json json = Json::parse(read_file(file), nullptr, false);
    if (!json.is_object() || !json.contains("rows"))
        throw Error(Status::kCorrupt, "rpt",
                    "\"" + file + "\" is not what `rpt-lab speed --json` writes");
    for (const Json& row : json["rows"])
        ratios[fs::path(row["config"].get<std::string>()).stem().string()] =
            row["time_ratio"].get<double>();
    return ratios;
}

// Means over seeds of what eval says about rankings, by corpus: BM25 from the first system that has
// it.
Json rankings_of(const std::vector<Entry>& entries, const std::string& corpus) {
    Json list = Json::array();
    bool have_bm25 = false;
    for (const Entry& entry : entries) {
        if (entry.trainings == nullptr || !entry.row().empty()) continue;
        std::map<std::string, std::vector<Json>> found;
        for (const Training& training : *entry.trainings) {
            const nlohmann::json& group = group_of(training.evaluation, corpus);
            if (!group.contains("ranking")) continue;
            for (const auto& [name, ranking] : group["ranking"].items())
                found[name].push_back(ranking);
        }
        for (const auto& [name, rankings] : found) {
            if (name == "dpr" || (name == "bm25" && have_bm25)) continue;
            have_bm25 |= name == "bm25";
            Json mean = {{"label", name == "bm25" ? "BM25" : entry.label()},
                         {"name", name == "bm25" ? "bm25" : entry.name()}};
            for (const char* key :
                 {"precision_2", "recall_10", "ndcg_20", "overlap_query", "overlap_target"}) {
                double sum = 0;
                for (const Json& ranking : rankings) sum += ranking[key].get<double>();
                mean[key] = sum / static_cast<double>(rankings.size());
            }
            list.push_back(mean);
        }
    }
    return list;
}

Json best_scores_of(const Experiment& experiment, const std::string& corpus) {
    for (const auto& [name, trainings] : experiment) {
        const nlohmann::json& group = group_of(trainings[0].evaluation, corpus);
        if (group.contains("best_target_score")) return group["best_target_score"];
    }
    return Json::array();
}

Json corpora_json(const ReportContext& context, const Experiment& experiment) {
    const auto& [entries, measured, paper, baseline, ratios] = context;
    Json corpora;
    for (const auto& [corpus, systems] : measured) {
        Json& json = corpora[corpus] = {{"systems", Json::object()}};
        for (const Entry& entry : entries) {
            const auto it = systems.find(entry.name());
            if (it == systems.end()) continue;
            Json& system = json["systems"][entry.name()] = it->second;
            system["label"] = entry.label();
            system["main"] = entry.paper["table"] == 2 && entry.row().empty();
            if (!system["main"].get<bool>()) system.erase("by_gold");
        }
        json["ranking"] = rankings_of(entries, corpus);
        json["best_target_score"] = best_scores_of(experiment, corpus);
    }
    return corpora;
}

// Runs the drawing program without a shell. Throws kIo with its exit code.
void draw(const ReportArguments& args, const std::string& report) {
    const pid_t child = fork();
    if (child == 0) {
        execlp(args.python.c_str(), args.python.c_str(), args.draw.c_str(), report.c_str(),
               args.out.c_str(), nullptr);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0) {
        throw Error(Status::kIo, "rpt",
                    "\"" + args.python + " " + args.draw +
                        "\" drew nothing; the tables are written. It needs Python with "
                        "matplotlib: name one by --python, or pass --no-plots");
    }
}

int run(const ReportArguments& args, bool plots, const Common& common) {
    ReportContext context;
    context.paper = Json::parse(read_file(args.paper), nullptr, false);
    if (!context.paper.is_object() || !context.paper.contains("systems"))
        throw Error(Status::kCorrupt, "rpt",
                    "\"" + args.paper + "\" is not the paper's list of systems");
    context.baseline = args.baseline;
    context.time_ratios = read_ratios(args.speed);
    const Experiment experiment = read_experiment(args.folder);
    Json commands = Json::array();
    for (const Json& system : context.paper["systems"]) {
        const auto it = experiment.find(system["config"].get<std::string>());
        const Entry& entry = context.entries.emplace_back(
            Entry{system, it == experiment.end() ? nullptr : &it->second});
        if (entry.row().empty())
            commands.push_back("configs/run_rows.sh TIER DATA RUNS " + entry.config());
    }
    const auto& entries = context.entries;
    context.measured = measure(entries, args.baseline, args.options);
    Json report = {
        {"setting", args.setting}, {"baseline", args.baseline}, {"systems", Json::array()}};
    for (const auto& [name, trainings] : experiment) {
        const auto label = std::find_if(entries.begin(), entries.end(),
                                        [&](const Entry& e) { return e.name() == name; });
        Json system = {{"name", name},
                       {"label", label == entries.end() ? name : label->label()},
                       {"main", label != entries.end() && label->paper["table"] == 2},
                       {"curves", Json::array()}};
        for (const Training& t : trainings) {
            system["seeds"].push_back(t.seed);
            system["tokens_per_second"].push_back(t.tokens_per_second);
            system["gemm_share"].push_back(t.gemm_share);
            system["curves"].push_back({{"tokens", t.curve.tokens}, {"loss", t.curve.loss}});
        }
        system["parameters"] = trainings[0].parameters;
        system["steps"] = trainings[0].steps;
        system["training_tokens"] = trainings[0].tokens;
        report["systems"].push_back(system);
    }
    report["corpora"] = corpora_json(context, experiment);
    report["tables"] = {perplexity_table(context, 2, "Perplexity (table 2 of the paper)"),
                        retrieval_table(report["corpora"], context.paper),
                        perplexity_table(context, 4, "Ablations (table 4 of the paper)"),
                        swap_table(context), gold_table(context)};
    if (experiment.contains(args.second) && args.second != args.baseline) {
        ReportContext other = context;
        other.baseline = args.second;
        other.measured = measure(entries, args.second, args.options);
        report["tables"].push_back(difference_table(other));
    }
    report["commands"] = commands;
    fs::create_directories(args.out);
    const std::string file = (fs::path(args.out) / "report.json").string();
    write_file(file, report.dump(1) + "\n");
    write_file((fs::path(args.out) / "tables.md").string(), markdown(report));
    if (plots) draw(args, file);
    if (common.json) {
        std::cout << Json{{"out", args.out},
                          {"systems", experiment.size()},
                          {"corpora", context.measured.size()}}
                         .dump()
                  << "\n";
    } else {
        std::cout << markdown(report);
    }
    return kDone;
}

}  // namespace

void add_report_command(CLI::App& app, Common& common) {
    CLI::App* command =
        app.add_subcommand("report", "Tables and plots of evaluated systems beside the paper's");
    const auto args = std::make_shared<ReportArguments>();
    const auto no_plots = std::make_shared<bool>(false);
    command->add_option("folder", args->folder, "NAME.SEED folders, each a run with its test.json")
        ->required();
    command->add_option("--out", args->out, "Gets report.json, tables.md, plots and index.html")
        ->required();
    command->add_option("--paper", args->paper, "Systems in the paper's order, with its figures")
        ->default_val("docs/results/paper.json");
    command->add_option("--baseline", args->baseline, "What the others are compared with")
        ->capture_default_str();
    command
        ->add_option("--second-baseline", args->second,
                     "What the systems are also compared with, if the folder has it")
        ->capture_default_str();
    command->add_option("--speed", args->speed,
                        "Output of `rpt-lab speed --json`, for the column time");
    command->add_option("--setting", args->setting,
                        "A sentence on data, tokens and machine, printed above the tables");
    command->add_option("--resamples", args->options.resamples, "Of the bootstrap")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000000));
    command->add_option("--python", args->python, "Python with matplotlib")->default_val("python3");
    command->add_option("--draw", args->draw, "The program that draws")
        ->default_val("apps/rpt-lab/report/draw.py");
    command->add_flag("--no-plots", *no_plots, "Tables alone");
    command->footer(
        "Example: rpt-lab report runs --out docs/results/systems --speed runs/speed.json");
    command->callback([args, no_plots, &common] {
        common.action = [args, no_plots, &common] { return run(*args, !*no_plots, common); };
    });
}

}  // namespace rpt::lab
