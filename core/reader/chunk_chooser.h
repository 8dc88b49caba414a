// Who chooses the chunks that the ways `upper` and `text` read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "core/reader/memory_search.h"
#include "core/reader/own_pointers.h"
#include "core/reader/retrieval.h"

namespace rpt::reader {

// Tokens that ask together: those before the last one of the chunk that closes.
inline constexpr size_t kMassQueries = 64;

// Borrowed for the call.
struct ChunkQuestion {
    std::span<const float> queries;    // [n, w] pointer queries of the last tokens, n at most 64
    size_t end = 0;                    // input position behind the last of them
    const OwnPointers* own = nullptr;  // keys of the own past; null: it is not read
    int64_t own_last = -1;             // the last own chunk that may be chosen; negative: none
};

// Immutable while sessions use it; shared by threads.
class ChunkChooser {
  public:
    virtual ~ChunkChooser() = default;
    // At most k chunks (options.k; 0: the model's K), best first, each once.
    virtual std::vector<Found> choose(const ChunkQuestion& question, const RetrieveOptions& options,
                                      const CallControl& control) const = 0;
};

}  // namespace rpt::reader
