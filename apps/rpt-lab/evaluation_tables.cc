#include "apps/rpt-lab/evaluation_tables.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "core/eval/paired_bootstrap.h"

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
    const double chunks = static_cast<double>(std::max<int64_t>(1, sums.chunks));
    const double gold = static_cast<double>(std::max<int64_t>(1, sums.with_gold));
    return {{"chunks", sums.chunks},
            {"chunks_with_gold", sums.with_gold},
            {"precision_2", sums.precision_2 / chunks},
            {"recall_10", sums.recall_10 / gold},
            {"ndcg_20", sums.ndcg_20 / gold}};
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
    int64_t tokens = 0, distinct = 0, slots = 0;
    eval::RankingSums own, bm25;
    for (const DocumentScores* d : group) {
        tokens += d->tokens;
        distinct += d->distinct_retrieved;
        slots += d->slots_retrieved;
        own.add(d->own_ranking);
        bm25.add(d->bm25_ranking);
    }
    json["tokens"] = tokens;
    for (const auto& [row, scores] : group[0]->rows) {
        Json& entry = json["rows"][eval::row_name(row)] = row_json(group, row);
        for (const auto& [other, unused] : group[0]->rows) {
            if (row == other || choice.against != eval::row_name(other)) continue;
            entry["difference"] = difference_json(group, row, other, choice, false);
            entry["difference_with_pool"] = difference_json(group, row, other, choice, true);
        }
    }
    if (own.chunks > 0) {
        json["ranking"] = {{"own", ranking_json(own)}, {"bm25", ranking_json(bm25)}};
        json["distinct_share"] =
            static_cast<double>(distinct) / static_cast<double>(std::max<int64_t>(1, slots));
    }
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
        for (const auto& [row, scores] : d.rows)
            entry["rows"][eval::row_name(row)] = row_json({&d}, row);
        if (d.own_ranking.chunks > 0) {
            entry["ranking"] = {{"own", ranking_json(d.own_ranking)},
                                {"bm25", ranking_json(d.bm25_ranking)}};
            entry["distinct_retrieved"] = d.distinct_retrieved;
            entry["slots_retrieved"] = d.slots_retrieved;
        }
        list.push_back(std::move(entry));
    }
    return list;
}

std::string summary_table(const Json& summary) {
    std::string out = "row        nats  perplexity   bits/byte  with pool  gold found";
    const bool compared = summary.contains("against");
    if (compared) out += "   difference to " + summary["against"].get<std::string>() + " (95 %)";
    out += "\n";
    for (const auto& [name, row] : summary["rows"].items()) {
        char line[160];
        std::snprintf(line, sizeof line, "%-7s %7.4f  %10.3f  %10.4f  %9.4f  %10.4f", name.c_str(),
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
            char line[160];
            std::snprintf(
                line, sizeof line, "%-7s P@2 %.3f  R@10 %.3f  nDCG@20 %.3f over %lld chunks\n",
                name.c_str(), r["precision_2"].get<double>(), r["recall_10"].get<double>(),
                r["ndcg_20"].get<double>(), static_cast<long long>(r["chunks"].get<int64_t>()));
            out += line;
        }
        char line[80];
        std::snprintf(line, sizeof line, "distinct chunks among those retrieved: %.1f %%\n",
                      100 * summary["distinct_share"].get<double>());
        out += line;
    }
    return out;
}

}  // namespace rpt::lab
