#include "apps/rpt-lab/evaluation_tables.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "lab/eval/paired_bootstrap.h"

namespace rpt::lab {
namespace {

using Json = nlohmann::ordered_json;
using eval::DocumentScores;
using eval::Row;

using Group = std::vector<const DocumentScores*>;

Json nats_json(const eval::Nats& nats) {
    return {{"tokens", nats.tokens}, {"nats", nats.mean()}, {"perplexity", std::exp(nats.mean())}};
}

Json row_json(const Group& group, Row row) {
    eval::RowScores sum;
    double bytes = 0;
    for (const DocumentScores* d : group) {
        const auto& scores = d->rows.at(row);
        sum.all.add(scores.all);
        sum.with_pool.add(scores.with_pool);
        sum.gold_retrieved.add(scores.gold_retrieved);
        for (const auto& [position, nats] : scores.by_position) sum.by_position[position].add(nats);
        bytes += static_cast<double>(d->bytes);
    }
    Json json = nats_json(sum.all);
    if (bytes > 0) json["bits_per_byte"] = sum.all.sum / std::log(2.0) / bytes;
    json["with_pool"] = nats_json(sum.with_pool);
    json["gold_retrieved"] = nats_json(sum.gold_retrieved);
    for (const auto& [position, nats] : sum.by_position)
        json["by_position"][std::to_string(position)] = nats_json(nats);
    return json;
}

Json ranking_json(const eval::RankingSums& sums) {
    const auto over = [](double sum, int64_t n) {
        return sum / static_cast<double>(std::max<int64_t>(1, n));
    };
    return {{"chunks", sums.chunks},
            {"chunks_with_gold", sums.with_gold},
            {"precision_2", over(sums.precision_2, sums.chunks)},
            {"recall_10", over(sums.recall_10, sums.with_gold)},
            {"ndcg_20", over(sums.ndcg_20, sums.with_gold)},
            {"overlap_query", over(sums.overlap_query, sums.with_neighbour)},
            {"overlap_target", over(sums.overlap_target, sums.with_neighbour)}};
}

// What retrieval did on these documents; nothing for a model without a memory.
void add_rankings(const Group& group, Json& json) {
    std::map<std::string, eval::RankingSums> rankings;
    eval::BestScoreSums best;
    int64_t distinct = 0, slots = 0;
    for (const DocumentScores* d : group) {
        for (const auto& [name, sums] : d->rankings) rankings[name].add(sums);
        best.add(d->best_scores);
        distinct += d->distinct_retrieved;
        slots += d->slots_retrieved;
    }
    for (const auto& [name, sums] : rankings) json["ranking"][name] = ranking_json(sums);
    if (slots > 0)
        json["distinct_share"] = static_cast<double>(distinct) / static_cast<double>(slots);
    if (best.chunks > 0) {
        for (const double sum : best.best)
            json["best_target_score"].push_back(sum / static_cast<double>(best.chunks));
    }
}

double rounded(double nats) {
    return std::round(nats * 1e4) / 1e4;
}

Json chunks_json(const DocumentScores& d) {
    return {{"spans", d.spans}, {"tokens", d.chunk_tokens}, {"flags", d.chunk_flags}};
}

// nats of each document under a row, for the bootstrap; `pool`: over the tokens that have a pool
// alone.
std::vector<double> sums_of(const Group& group, Row row, bool pool) {
    std::vector<double> sums;
    for (const DocumentScores* d : group) {
        const auto& scores = d->rows.at(row);
        sums.push_back(pool ? scores.with_pool.sum : scores.all.sum);
    }
    return sums;
}

Json difference_json(const Group& group, Row row, Row against, const BootstrapChoice& choice,
                     bool pool) {
    std::vector<int64_t> tokens;
    for (const DocumentScores* d : group) {
        const auto& scores = d->rows.at(row);
        tokens.push_back(pool ? scores.with_pool.tokens : scores.all.tokens);
    }
    const auto difference =
        eval::paired_bootstrap(sums_of(group, row, pool), sums_of(group, against, pool), tokens,
                               choice.resamples, choice.seed);
    return {{"nats", difference.mean},
            {"low", difference.low},
            {"high", difference.high},
            {"share_below", difference.share_below}};
}

Json group_json(const Group& group, const BootstrapChoice& choice) {
    Json json;
    json["documents"] = group.size();
    int64_t tokens = 0;
    for (const DocumentScores* d : group) tokens += d->tokens;
    json["tokens"] = tokens;
    for (const auto& [row, scores] : group[0]->rows) {
        Json& entry = json["rows"][eval::row_name(row)] = row_json(group, row);
        for (const auto& [other, unused] : group[0]->rows) {
            if (row == other || choice.against != eval::row_name(other)) continue;
            entry["difference"] = difference_json(group, row, other, choice, false);
            entry["difference_with_pool"] = difference_json(group, row, other, choice, true);
        }
    }
    add_rankings(group, json);
    return json;
}

}  // namespace

Json summary_json(const std::vector<DocumentScores>& documents, const BootstrapChoice& bootstrap) {
    Group all;
    std::map<std::string, Group> collections;
    for (const DocumentScores& d : documents) {
        all.push_back(&d);
        collections[d.collection].push_back(&d);
    }
    Json json = group_json(all, bootstrap);
    if (!bootstrap.against.empty()) {
        json["against"] = bootstrap.against;
        json["resamples"] = bootstrap.resamples;
        json["bootstrap_seed"] = bootstrap.seed;
    }
    if (collections.size() > 1) {
        for (const auto& [name, group] : collections)
            json["collections"][name] = group_json(group, bootstrap);
    }
    return json;
}

Json raw_json(const std::vector<DocumentScores>& documents) {
    Json list = Json::array();
    for (const DocumentScores& d : documents) {
        Json entry = {
            {"id", d.id}, {"collection", d.collection}, {"tokens", d.tokens}, {"bytes", d.bytes}};
        for (const auto& [row, scores] : d.rows) {
            Json& rows = entry["rows"][eval::row_name(row)] = row_json({&d}, row);
            for (const double nats : scores.per_chunk) rows["chunk_nats"].push_back(rounded(nats));
        }
        add_rankings({&d}, entry);
        if (!d.chunk_tokens.empty()) entry["chunks"] = chunks_json(d);
        list.push_back(std::move(entry));
    }
    return list;
}

std::string summary_table(const Json& summary) {
    std::string out = "row               nats  perplexity   bits/byte  with pool  gold found";
    const bool compared = summary.contains("against");
    if (compared) out += "   difference to " + summary["against"].get<std::string>() + " (95 %)";
    out += "\n";
    for (const auto& [name, row] : summary["rows"].items()) {
        char line[160];
        std::snprintf(line, sizeof line, "%-14s %7.4f  %10.3f  %10.4f  %9.4f  %10.4f", name.c_str(),
                      row["nats"].get<double>(), row["perplexity"].get<double>(),
                      row.value("bits_per_byte", 0.0), row["with_pool"]["nats"].get<double>(),
                      row["gold_retrieved"]["nats"].get<double>());
        out += line;
        if (row.contains("difference")) {
            std::snprintf(line, sizeof line, "   %+.4f [%+.4f, %+.4f]",
                          row["difference"]["nats"].get<double>(),
                          row["difference"]["low"].get<double>(),
                          row["difference"]["high"].get<double>());
            out += line;
        }
        out += "\n";
    }
    if (summary.contains("ranking")) {
        for (const auto& [name, r] : summary["ranking"].items()) {
            char line[200];
            std::snprintf(line, sizeof line,
                          "%-7s P@2 %.3f  R@10 %.3f  nDCG@20 %.3f  tokens shared with the chunk "
                          "%.1f, the next %.1f  (%lld chunks)\n",
                          name.c_str(), r["precision_2"].get<double>(),
                          r["recall_10"].get<double>(), r["ndcg_20"].get<double>(),
                          r["overlap_query"].get<double>(), r["overlap_target"].get<double>(),
                          static_cast<long long>(r["chunks"].get<int64_t>()));
            out += line;
        }
    }
    char line[120];
    if (summary.contains("distinct_share")) {
        std::snprintf(line, sizeof line, "distinct chunks among those retrieved: %.1f %%\n",
                      100 * summary["distinct_share"].get<double>());
        out += line;
    }
    if (summary.contains("best_target_score")) {
        const auto& best = summary["best_target_score"];
        std::snprintf(line, sizeof line,
                      "best target score in BM25's first 1, 2, 5, 20: %.3f %.3f %.3f %.3f\n",
                      best[0].get<double>(), best[1].get<double>(), best[4].get<double>(),
                      best[19].get<double>());
        out += line;
    }
    return out;
}

}  // namespace rpt::lab
