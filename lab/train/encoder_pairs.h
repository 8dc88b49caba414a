// What a dual encoder learns from: chunks with the chunk that BM25, which sees the next one too,
// ranks first for them (spec 5.7).
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

#include "core/model/config.h"
#include "lab/train/adamw.h"
#include "lab/train/dual_encoder.h"
#include "lab/train/sample_source.h"

namespace rpt::train {

struct EncoderPair {
    std::vector<int32_t> query, positive, negative;  // m tokens each
    uint64_t piece = 0;                              // which piece of text they are from
    int32_t positive_chunk = 0, negative_chunk = 0;  // and their places in it
};

// Of every chunk of `inputs` (`n_tokens` of them text) that has a pool and a next chunk: the first
// of BM25's ranking by both, and as a hard negative the one at index 5, or the last where there are
// fewer. A chunk with fewer than two candidates gives no pair.
std::vector<EncoderPair> pairs_of_piece(const model::ModelConfig& config,
                                        std::span<const int32_t> inputs, int64_t n_tokens,
                                        uint64_t piece);

// At most `per_piece` of each next piece, drawn by `seed`, until there are `n`.
std::vector<EncoderPair> draw_pairs(const model::ModelConfig& config,
                                    const ShardVocabulary& vocabulary, SampleSource& source,
                                    int64_t n, int64_t per_piece, uint64_t seed, uint64_t& piece);

struct EncoderReport {
    double loss = 0;
    double accuracy = 0;  // share of queries whose positive scores best in the batch
};

// Softmax cross-entropy of each query's positive against the positives and hard negatives of the
// whole batch; another copy of its positive is no negative. The loss carries gradient.
at::Tensor in_batch_loss(const DualEncoder& encoder, std::span<const EncoderPair> pairs,
                         at::Device device, EncoderReport& report);

// One update. Throws kState when the loss is not finite.
EncoderReport encoder_step(const DualEncoder& encoder, AdamW& optimizer,
                           std::span<const EncoderPair> pairs, double lr, at::Device device);

}  // namespace rpt::train
