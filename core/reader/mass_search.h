// The usual choice of the ways `upper` and `text`: chunks by the mass that the last tokens' pointer
// queries put on their tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "core/reader/chunk_chooser.h"
#include "storage/store.h"

namespace rpt::reader {

// Borrows engine, store and spaces.
class MassSearch final : public ChunkChooser {
  public:
    // `store` may be null if there are no spaces. kArgument for numbers of the model's gate that
    // make no sense: cosines are multiplied as they are for copying from the own past.
    MassSearch(const engine::Engine& engine, storage::Store* store,
               std::span<const std::shared_ptr<storage::Space>> spaces);

    // A place is a token of the spaces, or of the own chunks that may be chosen, but no begin
    // token. Each query shares itself out by softmax(T cos) over all places; a chunk's score is the
    // part that its places have, averaged over the queries. The k best of those that the filter
    // lets through, score descending, then own past first, then numbers.
    std::vector<Found> choose(const ChunkQuestion& question, const RetrieveOptions& options,
                              const CallControl& control) const override;

  private:
    class Allowed;

    const engine::Engine& engine_;
    storage::Store* store_;
    std::vector<std::shared_ptr<storage::Space>> spaces_;  // each once
    double temperature_;
};

}  // namespace rpt::reader
