// Every system side by side, beside the paper's figures: tables as Markdown and JSON, plots, a
// page.
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/comparison_tables.h"
#include "apps/rpt-lab/evaluation_file.h"
#include "apps/rpt-lab/experiment.h"
#include "apps/rpt-lab/text_files.h"
#include "base/error.h"

namespace rpt::lab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Experiment = std::map<std::string, std::vector<Training>>;

struct ReportArguments {
    std::string folder, out, paper, python, draw, speed, setting;
    std::string baseline = "transformer_xl";
    eval::ComparisonOptions options;
};

std::string text_of(const char* format, double value) {
    char text[64];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

// One system of the paper's list, with what was measured of it here.
struct Entry {
    Json paper;
    const std::vector<Training>* trainings = nullptr;  // null: not trained here
    std::string name() const { return paper["name"].get<std::string>(); }
    std::string label() const { return paper["label"].get<std::string>(); }
};

// "NAME:ROW=FILE,FILE" of the evaluations that have the row; empty if none has.
std::string system_text(const Entry& entry) {
    const auto row = entry.paper["row"].get<std::string>();
    std::string files;
    for (const Training& training : *entry.trainings) {
        const std::string file = training.folder + "/test.json";
        const Json json = Json::parse(read_file(file), nullptr, false);
        if (!row.empty() && !(json.is_object() && json["rows"].contains(row))) continue;
        if (!files.empty()) files += ",";
        files += file;
    }
    if (files.empty()) return "";
    return entry.name() + (row.empty() ? "" : ":") + row + "=" + files;
}

// Of every corpus: name of a system -> what comparison_json says of it.
using Measured = std::map<std::string, std::map<std::string, Json>>;

Measured measure(const std::vector<Entry>& entries, const ReportArguments& args) {
    std::vector<eval::System> systems;
    for (const Entry& entry : entries) {
        const std::string text = entry.trainings == nullptr ? "" : system_text(entry);
        if (text.empty()) continue;
        systems.push_back(read_system(text, ""));
        systems.back().name = entry.name();
    }
    const auto against = std::find_if(systems.begin(), systems.end(), [&](const eval::System& s) {
        return s.name == args.baseline;
    });
    if (against == systems.end())
        throw Error(Status::kArgument, "rpt",
                    "the folder has no evaluated system \"" + args.baseline + "\" to compare with");
    eval::require_same_documents(systems);
    std::set<std::string> corpora;
    for (const auto& document : against->trainings[0].documents)
        corpora.insert(document.collection);
    Measured measured;
    for (const std::string& corpus : corpora) {
        eval::ComparisonOptions options = args.options;
        options.collection = corpus;
        for (const Json& system : comparison_json(systems, *against, options))
            measured[corpus][system["system"].get<std::string>()] = system;
    }
    return measured;
}

// How the paper's perplexity lies to the baseline's, in percent.
std::string paper_percent(const Json& paper, const Entry& entry, const std::string& corpus,
                          const std::string& baseline) {
    const std::string theirs = paper["corpora"].value(corpus, "");
    if (theirs.empty() || !entry.paper.contains("perplexity")) return "";
    for (const Json& system : paper["systems"]) {
        if (system["name"] != baseline) continue;
        const double base = system["perplexity"][theirs].get<double>();
        return text_of("%+.1f %%",
                       100 * (entry.paper["perplexity"][theirs].get<double>() / base - 1));
    }
    return "";
}

std::string interval_text(const Json& percent) {
    return text_of("%+.1f %%", percent["mean"].get<double>()) +
           text_of(" [%+.1f", percent["low"].get<double>()) +
           text_of(", %+.1f]", percent["high"].get<double>());
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

Json perplexity_table(const std::vector<Entry>& entries, const Measured& measured,
                      const Json& paper, const ReportArguments& args, int table, const char* title,
                      const std::string& note) {
    const auto ratios = read_ratios(args.speed);
    Json json = {{"title", title},
                 {"note", note},
                 {"columns", {"system", "seeds", "parameters", "time"}},
                 {"rows", Json::array()}};
    for (const auto& [corpus, systems] : measured) {
        json["columns"].push_back(corpus + ": perplexity");
        json["columns"].push_back("against " + args.baseline + " [95 %]");
        json["columns"].push_back("paper");
    }
    for (const Entry& entry : entries) {
        const bool base = entry.name() == args.baseline;
        if (entry.paper["table"] != table && !(base && table != 2)) continue;
        Json row = {entry.label()};
        const auto config = entry.paper["config"].get<std::string>();
        const auto& first = measured.begin()->second;
        const auto known = first.find(entry.name());
        row.push_back(known == first.end() ? "not run here"
                                           : std::to_string(known->second["trainings"].size()));
        row.push_back(
            entry.trainings == nullptr
                ? ""
                : text_of("%.2f M",
                          static_cast<double>(entry.trainings->front().parameters) / 1e6));
        row.push_back(ratios.contains(config) ? text_of("%.2f x", ratios.at(config)) : "");
        for (const auto& [corpus, systems] : measured) {
            const auto it = systems.find(entry.name());
            row.push_back(
                it == systems.end() ? "" : text_of("%.2f", it->second["perplexity"].get<double>()));
            row.push_back(it == systems.end() || base
                              ? ""
                              : interval_text(it->second["difference"]["perplexity_percent"]));
            row.push_back(base ? "" : paper_percent(paper, entry, corpus, args.baseline));
        }
        json["rows"].push_back(row);
    }
    return json;
}

// Means over seeds of what eval says about rankings, by corpus: BM25 from the first system that has
// it.
Json rankings_of(const std::vector<Entry>& entries, const std::string& corpus) {
    Json list = Json::array();
    bool have_bm25 = false;
    for (const Entry& entry : entries) {
        if (entry.trainings == nullptr || !entry.paper["row"].get<std::string>().empty()) continue;
        std::map<std::string, std::vector<Json>> found;
        for (const Training& training : *entry.trainings) {
            const Json all = Json::parse(read_file(training.folder + "/test.json"));
            const Json& group = all.contains("collections") ? all["collections"][corpus] : all;
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

Json retrieval_table(const Json& corpora, const Json& paper) {
    Json json = {{"title", "Retrieval (table 3 of the paper, figure 4)"},
                 {"note",
                  "Gold: chunks with a target score above 0. In brackets the paper's figure. "
                  "Shared: different tokens that the first neighbour has in common with the chunk "
                  "that asks and with the one that follows it."},
                 {"columns",
                  {"corpus", "retriever", "precision@2", "recall@10", "nDCG@20",
                   "shared with the chunk", "with the next"}},
                 {"rows", Json::array()}};
    for (const auto& [corpus, data] : corpora.items()) {
        for (const Json& ranking : data["ranking"]) {
            Json row = {corpus, ranking["label"]};
            const Json theirs =
                paper["retrieval"].value(paper["corpora"].value(corpus, ""), Json::object());
            for (const char* key : {"precision_2", "recall_10", "ndcg_20"}) {
                std::string text = text_of("%.1f %%", 100 * ranking[key].get<double>());
                const auto name = ranking["name"].get<std::string>();
                if (theirs.contains(key) && theirs[key].contains(name))
                    text += " (" + std::to_string(theirs[key][name].get<int>()) + ")";
                row.push_back(text);
            }
            row.push_back(text_of("%.1f", ranking["overlap_query"].get<double>()));
            row.push_back(text_of("%.1f", ranking["overlap_target"].get<double>()));
            json["rows"].push_back(row);
        }
    }
    return json;
}

Json best_scores_of(const Experiment& experiment, const std::string& corpus) {
    for (const auto& [name, trainings] : experiment) {
        const Json all = Json::parse(read_file(trainings[0].folder + "/test.json"));
        const Json& group = all.contains("collections") ? all["collections"][corpus] : all;
        if (group.contains("best_target_score")) return group["best_target_score"];
    }
    return Json::array();
}

Json corpora_json(const std::vector<Entry>& entries, const Measured& measured,
                  const Experiment& experiment) {
    Json corpora;
    for (const auto& [corpus, systems] : measured) {
        Json& json = corpora[corpus] = {{"systems", Json::object()}};
        for (const Entry& entry : entries) {
            const auto it = systems.find(entry.name());
            if (it == systems.end()) continue;
            Json& system = json["systems"][entry.name()] = it->second;
            system["label"] = entry.label();
            system["main"] =
                entry.paper["table"] == 2 && entry.paper["row"].get<std::string>().empty();
            if (!system["main"].get<bool>()) system.erase("by_gold");
        }
        json["ranking"] = rankings_of(entries, corpus);
        json["best_target_score"] = best_scores_of(experiment, corpus);
    }
    return corpora;
}

void add_cells(const Json& cells, std::string& out) {
    for (const Json& cell : cells) out.append(" ").append(cell.get<std::string>()).append(" |");
}

std::string markdown(const Json& report) {
    std::string out =
        "# Every system side by side\n\n" + report["setting"].get<std::string>() + "\n";
    for (const Json& table : report["tables"]) {
        out += "\n## " + table["title"].get<std::string>() + "\n\n" +
               table["note"].get<std::string>() + "\n\n|";
        add_cells(table["columns"], out);
        out += "\n|";
        for (size_t i = 0; i < table["columns"].size(); ++i) out += "---|";
        for (const Json& row : table["rows"]) {
            out += "\n|";
            add_cells(row, out);
        }
        out += "\n";
    }
    out += "\n## Commands\n\n";
    for (const Json& command : report["commands"])
        out += "    " + command.get<std::string>() + "\n";
    return out;
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
    const Json paper = Json::parse(read_file(args.paper), nullptr, false);
    if (!paper.is_object() || !paper.contains("systems"))
        throw Error(Status::kCorrupt, "rpt",
                    "\"" + args.paper + "\" is not the paper's list of systems");
    const Experiment experiment = read_experiment(args.folder);
    std::vector<Entry> entries;
    Json commands = Json::array();
    for (const Json& system : paper["systems"]) {
        const auto it = experiment.find(system["config"].get<std::string>());
        entries.push_back({system, it == experiment.end() ? nullptr : &it->second});
        if (system["row"].get<std::string>().empty())
            commands.push_back("configs/run_rows.sh TIER DATA RUNS " +
                               system["config"].get<std::string>());
    }
    const Measured measured = measure(entries, args);
    Json report = {
        {"setting", args.setting}, {"baseline", args.baseline}, {"systems", Json::array()}};
    for (const auto& [name, trainings] : experiment) {
        const auto label = std::find_if(entries.begin(), entries.end(),
                                        [&](const Entry& e) { return e.name() == name; });
        Json system = {{"name", name},
                       {"label", label == entries.end() ? name : label->label()},
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
    report["corpora"] = corpora_json(entries, measured, experiment);
    const std::string note =
        "Perplexity on test documents, each system read as it reads by itself; differences with 95 "
        "% intervals from a paired bootstrap over documents and seeds. Beside them how the paper's "
        "figures for the same row lie to its own baseline.";
    report["tables"] = {perplexity_table(entries, measured, paper, args, 2,
                                         "Perplexity (table 2 of the paper)", note),
                        retrieval_table(report["corpora"], paper),
                        perplexity_table(entries, measured, paper, args, 4,
                                         "Ablations (table 4 of the paper)", note)};
    report["commands"] = commands;
    fs::create_directories(args.out);
    const std::string file = (fs::path(args.out) / "report.json").string();
    write_file(file, report.dump(1) + "\n");
    write_file((fs::path(args.out) / "tables.md").string(), markdown(report));
    if (plots) draw(args, file);
    if (common.json) {
        std::cout << Json{{"out", args.out},
                          {"systems", experiment.size()},
                          {"corpora", measured.size()}}
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
