#include "apps/rpt-lab/report_tables.h"

#include <cmath>
#include <cstdio>
#include <functional>

namespace rpt::lab {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const char* format, double value) {
    char text[64];
    std::snprintf(text, sizeof text, format, value);
    return text;
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

// Nats a token of a row, mean over seeds; NaN if no training has it.
double mean_nats(const std::vector<Training>& trainings, const std::string& corpus,
                 const std::string& row) {
    double sum = 0;
    int n = 0;
    for (const Training& training : trainings) {
        const auto& rows = group_of(training.evaluation, corpus).at("rows");
        if (!rows.contains(row)) continue;
        sum += rows[row].at("nats").get<double>();
        ++n;
    }
    return n == 0 ? std::nan("") : sum / n;
}

// A table with a line for each corpus and each system read as it reads by itself. `cells` says what
// follows their names; a system without cells has no line.
Json table_of_systems(const ReportContext& context, const std::string& title,
                      const std::string& note, const std::vector<std::string>& columns,
                      const std::function<Json(const std::string& corpus, const Entry&)>& cells) {
    Json json = {{"title", title},
                 {"note", note},
                 {"columns", {"corpus", "system"}},
                 {"rows", Json::array()}};
    for (const std::string& column : columns) json["columns"].push_back(column);
    for (const auto& [corpus, systems] : context.measured) {
        for (const Entry& entry : context.entries) {
            if (entry.trainings == nullptr || !entry.row().empty()) continue;
            const Json found = cells(corpus, entry);
            if (found.empty()) continue;
            Json row = {corpus, entry.label()};
            for (const Json& cell : found) row.push_back(cell);
            json["rows"].push_back(row);
        }
    }
    return json;
}

void add_cells(const Json& cells, std::string& out) {
    for (const Json& cell : cells) out.append(" ").append(cell.get<std::string>()).append(" |");
}

}  // namespace

const nlohmann::json& group_of(const nlohmann::json& evaluation, const std::string& corpus) {
    return evaluation.contains("collections") ? evaluation.at("collections").at(corpus)
                                              : evaluation;
}

Json perplexity_table(const ReportContext& context, int table, const std::string& title) {
    const auto& [entries, measured, paper, baseline, ratios] = context;
    Json json = {{"title", title},
                 {"note",
                  "Perplexity on test documents, each system read as it reads by itself; "
                  "differences with 95 % intervals from a paired bootstrap over documents and "
                  "seeds. Beside them how the paper's figures for the same row lie to its own "
                  "baseline."},
                 {"columns", {"system", "seeds", "parameters", "time"}},
                 {"rows", Json::array()}};
    for (const auto& [corpus, systems] : measured) {
        json["columns"].push_back(corpus + ": perplexity");
        json["columns"].push_back("against " + baseline + " [95 %]");
        json["columns"].push_back("paper");
    }
    for (const Entry& entry : entries) {
        const bool base = entry.name() == baseline;
        if (entry.paper["table"] != table && !(base && table != 2)) continue;
        Json row = {entry.label()};
        const auto& first = measured.begin()->second;
        const auto known = first.find(entry.name());
        row.push_back(known == first.end() ? "not run here"
                                           : std::to_string(known->second["trainings"].size()));
        row.push_back(
            entry.trainings == nullptr
                ? ""
                : text_of("%.2f M",
                          static_cast<double>(entry.trainings->front().parameters) / 1e6));
        row.push_back(ratios.contains(entry.config()) ? text_of("%.2f x", ratios.at(entry.config()))
                                                      : "");
        for (const auto& [corpus, systems] : measured) {
            const auto it = systems.find(entry.name());
            row.push_back(
                it == systems.end() ? "" : text_of("%.2f", it->second["perplexity"].get<double>()));
            row.push_back(it == systems.end() || base
                              ? ""
                              : interval_text(it->second["difference"]["perplexity_percent"]));
            row.push_back(base ? "" : paper_percent(paper, entry, corpus, baseline));
        }
        json["rows"].push_back(row);
    }
    return json;
}

Json difference_table(const ReportContext& context) {
    std::string base = context.baseline;
    for (const Entry& entry : context.entries)
        if (entry.name() == context.baseline) base = entry.label();
    Json json = {{"title", "Perplexity against " + base},
                 {"note",
                  "The same figures compared with another system: differences with 95 % intervals, "
                  "in brackets the paper's."},
                 {"columns", {"system"}},
                 {"rows", Json::array()}};
    for (const auto& [corpus, systems] : context.measured) json["columns"].push_back(corpus);
    for (const Entry& entry : context.entries) {
        if (entry.paper["table"] != 2 || entry.name() == context.baseline) continue;
        Json row = {entry.label()};
        bool known = false;
        for (const auto& [corpus, systems] : context.measured) {
            const auto it = systems.find(entry.name());
            known |= it != systems.end();
            const std::string theirs =
                paper_percent(context.paper, entry, corpus, context.baseline);
            row.push_back(it == systems.end()
                              ? ""
                              : interval_text(it->second["difference"]["perplexity_percent"]) +
                                    (theirs.empty() ? "" : " (" + theirs + ")"));
        }
        if (known) json["rows"].push_back(row);
    }
    return json;
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

Json swap_table(const ReportContext& context) {
    const std::vector<std::string> rows = {"none", "random", "bm25",
                                           "own",  "oracle", "oracle_scores"};
    return table_of_systems(
        context, "Neighbours swapped",
        "Perplexity of the same models when their chunks read nothing, chunks of the pool by "
        "chance, the best by BM25, their own choice, and the best for one who sees the next chunk: "
        "by BM25 of both, and by target scores. The last column is the usual choice with eight "
        "neighbours. Means over the seeds that were read so.",
        {"none", "random", "BM25", "own", "oracle, BM25", "oracle, scores", "8 neighbours"},
        [&](const std::string& corpus, const Entry& entry) {
            Json cells = Json::array();
            const auto usual =
                entry.trainings->front().evaluation.at("usual_row").get<std::string>();
            if (usual == "none") return cells;
            const auto add = [&](const std::string& row) {
                const double nats = mean_nats(*entry.trainings, corpus, row);
                cells.push_back(std::isnan(nats) ? "" : text_of("%.2f", std::exp(nats)));
            };
            for (const std::string& row : rows) add(row);
            add(usual + "@8");
            return cells;
        });
}

Json gold_table(const ReportContext& context) {
    return table_of_systems(
        context, "Where a memory helps (figure 6)",
        "Perplexity against " + context.baseline +
            " on the tokens of chunks for which the system's neighbours held one with a target "
            "score above 0, on those for which they held none, and at the beginning of a document, "
            "where there is none to retrieve; in brackets the share of the tokens.",
        {"gold retrieved", "none retrieved", "nothing to retrieve"},
        [&](const std::string& corpus, const Entry& entry) {
            Json cells = Json::array();
            const auto& systems = context.measured.at(corpus);
            const auto it = systems.find(entry.name());
            if (it == systems.end() || !it->second.contains("by_gold")) return cells;
            const Json& by_gold = it->second["by_gold"];
            double tokens = 0;
            for (const auto& [part, values] : by_gold.items())
                tokens += values["tokens"].get<double>();
            for (const char* part : {"gold", "no_gold", "no_pool"}) {
                if (!by_gold.contains(part)) {
                    cells.push_back("");
                    continue;
                }
                const Json& values = by_gold[part];
                cells.push_back(
                    interval_text(values["perplexity_percent"]) +
                    text_of(" (%.0f %%)", 100 * values["tokens"].get<double>() / tokens));
            }
            return cells;
        });
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

}  // namespace rpt::lab
