// Precision, recall and nDCG of one query chunk's ranking (spec 4.2, golden A.7).
#pragma once

#include <cstdint>
#include <span>

namespace rpt::eval {

// `ranked`: target scores s_t of the retrieved chunks, best first; a chunk without a score counts
// as 0. Positive: above 0. Fewer than k retrieved chunks count as misses.
double precision_at(std::span<const double> ranked, int64_t k);
// `all`: target scores of every scored chunk of the pool; at least one must be positive.
double recall_at(std::span<const double> ranked, std::span<const double> all, int64_t k);
// Gain 2^max(0, s_t) - 1, discount 1 / log2(1 + rank).
double ndcg_at(std::span<const double> ranked, std::span<const double> all, int64_t k);

}  // namespace rpt::eval
