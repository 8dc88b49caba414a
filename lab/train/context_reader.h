// How well a language model predicts a chunk after two other chunks and the one before it: the two
// terms of a target score (spec 2.2).
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lab/network/rpt_model.h"

namespace rpt::train {

enum class ScoringContext {
    kPrefix,  // the scorer reads both chunks, the query chunk and the target as one sequence
    kMemory   // both chunks are the query chunk's one neighbour; the sequence is query and target
};
const char* context_name(ScoringContext context);

// Chunk `query` reads chunks `context` and `context` + 1; chunk `query` + 1 is the target.
struct ContextPair {
    int32_t query = 0;
    int32_t context = 0;
    bool operator==(const ContextPair&) const = default;
};

// One thread at a time.
class ContextReader {
  public:
    virtual ~ContextReader() = default;

    // log p(target), mean over its tokens, of every pair in `tokens` cut into chunks; no gradient.
    // Pairs that share a context share its keys and values.
    virtual std::vector<float> log_likelihoods(std::span<const int32_t> tokens,
                                               std::span<const ContextPair> pairs) = 0;
    // Its twin: one pair at a time through the model's own passes, nothing shared.
    virtual float log_likelihood_slow(std::span<const int32_t> tokens, ContextPair pair) = 0;

    // Tokens that went through the network since the reader was made.
    int64_t tokens_read() const { return tokens_read_; }

  protected:
    int64_t tokens_read_ = 0;
};

// `scorer` is borrowed; its own chunk size does not matter: chunks are of `chunk` tokens. Throws
// kUnsupported for a memory that this context cannot express.
std::unique_ptr<ContextReader> make_context_reader(ScoringContext context,
                                                   const model::RptModel& scorer, int64_t chunk,
                                                   at::Device device);

}  // namespace rpt::train
