// Chunks of a short list, compared token by token with a question.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "storage/store.h"

namespace rpt::reader {

// Softmax factor of the cosines.
inline constexpr float kStateTemperature = 20;

// Of the chunks in `chunks`, best first, ties to the lower number: the part of the question's
// attention that goes to their tokens. Each token t of the question shares itself out over all
// tokens j of the chunks by softmax(20 cos(x_t - m, x_j - m)), m the mean of the chunks' states; a
// chunk's score is what its tokens get, averaged over t. `question`: states [n, dim] as the store
// keeps them, the begin token's first. Rows that equal it are left out. Chunks that are gone, or
// whose states a budget dropped, are not among the hits.
std::vector<storage::Hit> rank_by_states(storage::Store& store, std::span<const uint64_t> chunks,
                                         std::span<const float> question, size_t dim,
                                         const CallControl& control);

// The same from states [n_i, dim] of each chunk; null: left out.
std::vector<storage::Hit> rank_by_states(std::span<const uint64_t> chunks,
                                         std::span<const std::vector<float>* const> states,
                                         std::span<const float> question, size_t dim,
                                         const CallControl& control);

}  // namespace rpt::reader
