// The search of the strategy `upper`: chunks by the mass that the last tokens' pointer queries put
// on their tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "core/reader/memory_search.h"
#include "core/reader/own_pointers.h"
#include "core/reader/retrieval.h"
#include "storage/store.h"

namespace rpt::reader {

// Tokens that ask together: those before the last one of the chunk that closes.
inline constexpr size_t kMassQueries = 64;

// Borrows engine, store and spaces. One thread at a time.
class MassSearch {
  public:
    // `store` may be null if there are no spaces. kArgument for numbers of the model's gate that
    // make no sense: cosines are multiplied as they are for copying from the own past.
    MassSearch(const engine::Engine& engine, storage::Store* store,
               std::span<const std::shared_ptr<storage::Space>> spaces);

    // A place is a token of the spaces, or of the chunks 0 .. own_last of `own` (null: none), but
    // no begin token. Each of `queries` [n, w] shares itself out by softmax(T cos) over all places;
    // a chunk's score is the part that its places have, averaged over the queries. The k best of
    // those that the filter lets through, score descending, then own past first, then numbers.
    std::vector<Found> find(std::span<const float> queries, const OwnPointers* own,
                            int64_t own_last, const RetrieveOptions& options,
                            const CallControl& control) const;

  private:
    class Allowed;

    const engine::Engine& engine_;
    storage::Store* store_;
    std::vector<std::shared_ptr<storage::Space>> spaces_;  // each once
    double temperature_;
};

}  // namespace rpt::reader
