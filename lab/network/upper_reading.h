// Neighbours read through the upper layers of a frozen decoder: their stored states run through
// these layers once, causally and each by itself behind the sink, and the keys and values that come
// out stand beside the window's in one softmax. Without the sink, the first tokens of each text
// draw the attention that it would have drawn, and their keys and values are worth little.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "core/model/config.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"

namespace rpt::model {

// Keys and values of one layer for all tokens of some neighbours, [n, G, d_h]; keys are rotated for
// the 2m rows before the window, the same rows for every neighbour.
struct FarRows {
    at::Tensor k, v;
};

// Of every upper layer, in order. `texts`: the residual stream [n_i, d] of each neighbour after
// n_lower layers; one or more, none empty. `sink`: that of the token which opens a sequence, by
// itself, [1, d]; undefined: the model has no sink.
std::vector<FarRows> pass_neighbours(const ModelConfig& config, const ModelWeights& w,
                                     const RopeTable& rope, const at::Tensor& sink,
                                     const std::vector<at::Tensor>& texts);

// The plain twin of an engine that reads neighbours so: the upper half over a whole document
// `low` [T, d] with one mask over all keys that any token sees. `texts[u]` are the neighbours of
// chunk u. What the output layer reads, [T, d].
at::Tensor upper_reading_slow(const ModelConfig& config, const ModelWeights& w,
                              const at::Tensor& low, const at::Tensor& sink,
                              const std::vector<std::vector<at::Tensor>>& texts);

}  // namespace rpt::model
