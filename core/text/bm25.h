// Okapi BM25 over chunks of token ids (spec 2.1): k1 = 1.5, b = 0.75, negative idf floored at a
// quarter of the mean.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace rpt::text {

// Built once over the chunks of one document; then const and shared. Inverted lists: a query costs
// its postings.
class Bm25 {
  public:
    // `chunks[j]`: token ids of chunk j.
    explicit Bm25(std::span<const std::span<const int32_t>> chunks);

    struct Scored {
        int32_t chunk;
        float score;
    };
    // The best `k` chunks with number < `end`, by score descending, ties to the lower number;
    // chunks that share no token with the query are left out. Every occurrence of a token in the
    // query counts.
    std::vector<Scored> top(std::span<const int32_t> query, int64_t end, size_t k) const;
    // Scores of all chunks (the plain twin of top()).
    std::vector<double> scores_slow(std::span<const int32_t> query) const;
    double idf(int32_t token) const;

  private:
    struct Posting {
        int32_t chunk;
        double weight;  // f (k1 + 1) / (f + k1 (1 - b + b |D| / avgdl)), idf not included
    };
    std::vector<std::pair<int32_t, double>> idf_;  // sorted by token
    std::vector<std::vector<Posting>> postings_;   // parallel to idf_
    std::vector<std::vector<int32_t>> chunks_;
    double average_length_ = 0;

    // Place of `token` in idf_ and postings_; -1 if no chunk has it.
    int64_t find(int32_t token) const;
};

}  // namespace rpt::text
