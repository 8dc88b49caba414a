// What both ways of reading a context share: chunks as rows, passes of a bounded number of them.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lab/train/context_reader.h"

namespace rpt::train {

inline constexpr int64_t kContextsAtOnce = 32;  // rows of one pass over contexts
inline constexpr int64_t kPairsAtOnce = 32;     // rows of one pass over queries and targets

inline int64_t round_up(int64_t n, int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

// The same weights under another config: tensors are shared, not copied.
std::unique_ptr<model::RptModel> reread(const model::RptModel& scorer,
                                        const model::ModelConfig& config);

// Whole chunks of `tokens`, int64 [l, m].
at::Tensor chunk_rows(std::span<const int32_t> tokens, int64_t m, at::Device device);

at::Tensor numbers(const std::vector<int64_t>& values, at::Device device);

// out[places[row]] = mean over tokens of -nll[row]; `nll` [rows, m].
void store_means(const at::Tensor& nll, std::span<const size_t> places, std::vector<float>& out);

// Pairs sorted by context, in parts of at most kContextsAtOnce contexts.
struct ContextGroup {
    std::vector<int64_t> contexts;  // ascending
    std::vector<size_t> places;     // of the pairs, in the order of their contexts
};
std::vector<ContextGroup> group_by_context(std::span<const ContextPair> pairs);

// At most kPairsAtOnce pairs of a group.
struct PairRows {
    std::span<const size_t> places;
    std::vector<int64_t> context_rows;  // places in ContextGroup::contexts
    std::vector<int64_t> queries;
};
std::vector<PairRows> cut_group(const ContextGroup& group, std::span<const ContextPair> pairs);

// Keys turned to their positions and values of a sequence, a layer: [rows, n, G, d_h].
struct PastKv {
    std::vector<at::Tensor> k, v;
};

std::unique_ptr<ContextReader> make_prefix_reader(const model::RptModel& scorer, int64_t chunk,
                                                  at::Device device);
std::unique_ptr<ContextReader> make_memory_reader(const model::RptModel& scorer, int64_t chunk,
                                                  at::Device device);

}  // namespace rpt::train
