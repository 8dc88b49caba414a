// What an evaluation shows: sums over documents, as JSON and as a table.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "lab/eval/document_scores.h"

namespace rpt::lab {

struct BootstrapChoice {
    std::string against;  // a row's name; empty: no comparison
    int64_t resamples = 10000;
    uint64_t seed = 1;
};

// Keys: tokens, rows{name: {nats, perplexity, bits_per_byte, with_pool, gold_retrieved,
// by_position, difference}}, ranking, distinct_share, collections{name: the same}.
nlohmann::ordered_json summary_json(const std::vector<eval::DocumentScores>& documents,
                                    const BootstrapChoice& bootstrap);

// One object a document: what the summary was computed from.
nlohmann::ordered_json raw_json(const std::vector<eval::DocumentScores>& documents);

// The summary's rows for a terminal.
std::string summary_table(const nlohmann::ordered_json& summary);

}  // namespace rpt::lab
