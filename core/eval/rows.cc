// Which rows an evaluation has (declared in document_scores.h).
#include <algorithm>
#include <array>

#include "base/error.h"
#include "core/eval/document_scores.h"

namespace rpt::eval {
namespace {

constexpr std::array kAllKinds = {RowKind::kOwn,    RowKind::kDpr,  RowKind::kOracleScores,
                                  RowKind::kOracle, RowKind::kBm25, RowKind::kRandom,
                                  RowKind::kNone};

const char* kind_name(RowKind kind) {
    switch (kind) {
        case RowKind::kOwn:
            return "own";
        case RowKind::kDpr:
            return "dpr";
        case RowKind::kOracleScores:
            return "oracle_scores";
        case RowKind::kOracle:
            return "oracle";
        case RowKind::kBm25:
            return "bm25";
        case RowKind::kRandom:
            return "random";
        case RowKind::kNone:
            return "none";
    }
    return "";
}

}  // namespace

std::string row_name(Row row) {
    const std::string name = kind_name(row.kind);
    return row.k > 0 ? name + "@" + std::to_string(row.k) : name;
}

std::vector<Row> rows_of(const model::ModelConfig& config, const EvalSources& sources) {
    if (!config.has_memory() || !config.has_cca()) return {{RowKind::kNone}};
    std::vector<Row> rows;
    for (const RowKind kind : kAllKinds) {
        if (kind == RowKind::kOwn && !config.has_retriever()) continue;
        if (kind == RowKind::kDpr && !sources.dpr) continue;
        if (kind == RowKind::kOracleScores && !sources.targets) continue;
        rows.push_back({kind});
    }
    return rows;
}

Row usual_row(const model::ModelConfig& config) {
    if (!config.has_memory() || !config.has_cca()) return {RowKind::kNone};
    return {config.has_retriever() ? RowKind::kOwn : RowKind::kBm25};
}

std::vector<Row> choose_rows(const model::ModelConfig& config, const EvalSources& sources,
                             const std::vector<std::string>& names,
                             const std::vector<int64_t>& ks) {
    const std::vector<Row> known = rows_of(config, sources);
    for (const std::string& name : names) {
        if (std::none_of(known.begin(), known.end(),
                         [&](const Row& row) { return row_name(row) == name; })) {
            std::string all;
            for (const Row& row : known) {
                if (!all.empty()) all += ", ";
                all += row_name(row);
            }
            throw Error(Status::kArgument, "rpt",
                        "this model has no row \"" + name + "\"; it has " + all);
        }
    }
    std::vector<Row> rows;
    for (const Row& row : known) {
        if (!names.empty() && std::find(names.begin(), names.end(), row_name(row)) == names.end())
            continue;
        if (row.kind == RowKind::kNone || ks.empty()) {
            rows.push_back(row);
            continue;
        }
        for (const int64_t k : ks) rows.push_back({row.kind, k == config.neighbours ? 0 : k});
    }
    return rows;
}

}  // namespace rpt::eval
