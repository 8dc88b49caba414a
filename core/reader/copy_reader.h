// The strategy `copy`: predictions mixed with what followed places like this one, in the session's
// own past and in its spaces.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "core/reader/copy_mixture.h"
#include "core/reader/copy_tally.h"
#include "storage/store.h"

namespace rpt::reader {

// Of the own past what the window no longer holds: for a token of block b the input positions below
// (b - 1) S. The begin token is in the window for good and is never copied from.
size_t own_places_end(const model::ModelConfig& config, uint64_t position);

// The mixture takes the spaces in the order given, each with a share of its own, and the own past
// last. Borrows engine, store and spaces. One thread at a time.
class CopyReader {
  public:
    // kArgument for numbers of the model's gate that make no sense.
    CopyReader(const engine::Engine& engine, storage::Store* store,
               std::span<const std::shared_ptr<storage::Space>> spaces);

    // What may be copied from, from now on: of the spaces as they stand what the documents of the
    // filter hold, and of `own` (null: none) the positions [0, own_end), whose tokens are the first
    // of `ids`. What did not change is kept. Before the mixing calls; `own` keeps those positions
    // until the next look.
    void look(const OwnPointers* own, std::span<const int32_t> ids, size_t own_end,
              const storage::SearchFilter& filter, const CallControl& control);

    // For n tokens with `queries` [n, w]: what the model gave to `next[i]`, `log_probs[i]`, becomes
    // what the mixture gives to it. `entropies[i]` is that of the model's prediction.
    // `tallies[i]`, unless there are none, gets what the probability was copied from.
    void mix_scored(std::span<const float> queries, std::span<const int32_t> next,
                    std::span<const double> entropies, std::span<float> log_probs,
                    std::span<CopyTally* const> tallies, const CallControl& control) const;
    // Of one token with `query` [w]: `logits` [vocab] become logarithms of the mixture, shifted so
    // that they are what they were where nothing is copied.
    void mix(std::span<const float> query, std::span<float> logits, const CallControl& control);
    // What the probability of `token` after the last mix() was copied from.
    void trace(int32_t token, CopyTally& tally) const;

  private:
    struct Source {
        const CopyPlaces* places;
        const CopyNumbers* numbers;
    };
    std::vector<Source> sources() const;

    const engine::Engine& engine_;
    storage::Store* store_;
    std::vector<std::shared_ptr<storage::Space>> spaces_;  // each once
    CopySettings settings_;
    storage::SearchFilter filter_;  // that in_spaces_ were made with
    std::vector<std::unique_ptr<SpacePlaces>> in_spaces_;
    std::unique_ptr<OwnPlaces> in_own_;
    // The own past that in_own_ was made of: the same as long as it only grows.
    const OwnPointers* own_ = nullptr;
    size_t own_end_ = 0;
    std::vector<int32_t> own_ids_;
    // The last mix().
    struct Share {
        Source source;
        double weight = 0;  // of the source's copy distribution in the mixture
        double total = 0;   // CopyBelief::total
        ReadPlaces read;
    };
    std::vector<Share> shares_;
    std::vector<CopyQuery> query_;  // one
    std::vector<float> mixed_;
    double log_sum_ = 0;
};

}  // namespace rpt::reader
