// Which rows an evaluation has (declared in document_scores.h).
#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "lab/eval/document_scores.h"

namespace rpt::eval {
namespace {

constexpr std::array kAllKinds = {RowKind::kOwn,    RowKind::kDpr,    RowKind::kOracleScores,
                                  RowKind::kOracle, RowKind::kBm25,   RowKind::kRandom,
                                  RowKind::kNone,   RowKind::kPointer};

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
        case RowKind::kPointer:
            return "pointer";
    }
    return "";
}

const Row& named_row(const std::vector<Row>& known, const std::string& name) {
    std::string all;
    for (const Row& row : known) {
        if (row_name(row) == name) return row;
        if (!all.empty()) all += ", ";
        all += row_name(row);
    }
    throw Error(Status::kArgument, "rpt", "this model has no row \"" + name + "\"; it has " + all);
}

// A pointer was fitted to the model as it usually reads.
bool takes_number(const Row& row) {
    return row.kind != RowKind::kNone && row.kind != RowKind::kPointer;
}

// The number after a row's @.
int64_t neighbours_of(const Row& row, const std::string& number) {
    if (!takes_number(row)) {
        throw Error(Status::kArgument, "rpt",
                    "row \"" + row_name(row) +
                        "\" reads no other number of neighbours; ask for it without @" + number);
    }
    int64_t k = 0;
    const char* end = number.data() + number.size();
    const auto read = std::from_chars(number.data(), end, k);
    if (read.ec == std::errc() && read.ptr == end && k >= 1 && k <= kMostNeighbours) return k;
    throw Error(Status::kArgument, "rpt",
                "no row \"" + row_name(row) + "@" + number +
                    "\": after @ stands how many neighbours a chunk reads, 1 to " +
                    std::to_string(kMostNeighbours));
}

}  // namespace

std::string row_name(Row row) {
    const std::string name = kind_name(row.kind);
    return row.k > 0 ? name + "@" + std::to_string(row.k) : name;
}

std::vector<Row> rows_of(const model::ModelConfig& config, const EvalSources& sources) {
    const bool reads_chunks = config.has_memory() && config.has_cca();
    std::vector<Row> rows;
    for (const RowKind kind : kAllKinds) {
        if (kind == RowKind::kPointer && !sources.pointer) continue;
        if (kind != RowKind::kNone && kind != RowKind::kPointer && !reads_chunks) continue;
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
    std::vector<Row> rows;
    const auto add = [&](const Row& row) {
        if (std::find(rows.begin(), rows.end(), row) == rows.end()) rows.push_back(row);
    };
    const auto with_k = [&](const Row& row, int64_t k) {
        return Row{row.kind, k == config.neighbours ? 0 : k};
    };
    const auto add_for_all_k = [&](const Row& row) {
        if (!takes_number(row) || ks.empty()) return add(row);
        for (const int64_t k : ks) add(with_k(row, k));
    };
    if (names.empty()) std::for_each(known.begin(), known.end(), add_for_all_k);
    for (const std::string& name : names) {
        const size_t at = name.find('@');
        const std::string kind = name.substr(0, at);
        const Row row = kind == "usual" ? usual_row(config) : named_row(known, kind);
        if (at == std::string::npos) {
            add_for_all_k(row);
        } else {
            add(with_k(row, neighbours_of(row, name.substr(at + 1))));
        }
    }
    return rows;
}

}  // namespace rpt::eval
