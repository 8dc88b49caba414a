// The copy distribution over far tokens and its gate, with gradients: what core/reader computes
// token by token from keys in four bits, here from the states themselves.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lab/memory/document_cache.h"

namespace rpt::memory {

inline constexpr int64_t kGateInputs = 5;
inline constexpr double kMostTemperature = 40;
inline constexpr double kNearCosine = 0.6;  // counted by the last input of the gate

// What is fitted; fp32 leaves on the CPU.
struct CopyParameters {
    at::Tensor mean;          // [d], fixed
    at::Tensor query, key;    // [w, d]
    at::Tensor temperature;   // scalar: log of the factor of cosines
    at::Tensor bias;          // scalar
    at::Tensor weights;       // [5]
    at::Tensor shift, scale;  // [5], fixed: inputs of the gate are (x - shift) / scale
};

// Mean and principal directions of the states of `documents` (at most `most_tokens` of each), no
// temperature fitted yet, and a gate that hardly opens.
CopyParameters untrained(const std::vector<DocumentCache>& documents, int64_t width,
                         int64_t most_tokens);
// Gradients for what is trained, from now on.
void make_trainable(CopyParameters& p);
// What cosines are multiplied with; readers take no more than kMostTemperature.
at::Tensor factor_of(const CopyParameters& p);
// Those that are trained, by name.
std::vector<std::pair<std::string, at::Tensor>> trained(const CopyParameters& p);

// Unit pointer queries and keys [n, w] of tokens with these states [n, d].
at::Tensor query_rows(const CopyParameters& p, const at::Tensor& states);
at::Tensor key_rows(const CopyParameters& p, const at::Tensor& states);

// Consecutive tokens that have the same far tokens.
struct CopyQueries {
    at::Tensor rows;     // [n, w] unit pointer queries
    at::Tensor next;     // int64 [n], the tokens to be predicted
    at::Tensor nll;      // [n] without a memory
    at::Tensor entropy;  // [n]
};
struct FarTokens {
    at::Tensor rows;  // [N, w] unit pointer keys
    at::Tensor next;  // int64 [N], the token that followed each
};

// What the gate sees of each query [n, 5], and the copy's share of the token that came [n].
struct CopyScores {
    at::Tensor inputs;   // before shift and scale
    at::Tensor of_next;  // probability of the copy distribution
};
CopyScores copy_scores(const CopyParameters& p, const CopyQueries& queries, const FarTokens& far);
// Logit of the gate [n].
at::Tensor gate_logit(const CopyParameters& p, const at::Tensor& inputs);
// -log((1 - lambda) p + lambda copy) [n].
at::Tensor mixture_nll(const CopyParameters& p, const CopyQueries& queries, const FarTokens& far);

// Block `block` of a document (of its stride), whose tokens see the block before it and their own;
// the far tokens are all before those. Empty far tokens where there are none. With gradients to the
// maps of `p`.
CopyQueries queries_of_block(const CopyParameters& p, const DocumentCache& document, int64_t block);
FarTokens far_of_block(const CopyParameters& p, const DocumentCache& document, int64_t block);
// One behind the last far token of a block.
int64_t far_end(const DocumentCache& document, int64_t block);
int64_t blocks_of(const DocumentCache& document);

// A document with all its rows made once, for reading without gradients.
struct MappedDocument {
    MappedDocument(const CopyParameters& p, const DocumentCache& document);
    const DocumentCache* document;
    at::Tensor queries, keys;  // [T, w]
    at::Tensor stored_keys;    // [T, w], as a store keeps them; whoever needs them fills them in

    // As above.
    CopyQueries queries_of_block(int64_t block) const;
    FarTokens far_of_block(int64_t block) const;
    // The tokens [begin, end), end < T.
    FarTokens part(int64_t begin, int64_t end) const;
    FarTokens stored_part(int64_t begin, int64_t end) const;
    FarTokens whole() const { return part(0, document->size() - 1); }
};

}  // namespace rpt::memory
