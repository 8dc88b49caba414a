// What a range of tokens was copied from.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "core/reader/memory_search.h"
#include "core/reader/sequence.h"

namespace rpt::reader {

// One thread at a time.
class CopyTally {
  public:
    // Of one token's probability this share came from the chunk: of the session's own past, or of
    // the store.
    void add(bool own, uint64_t chunk, double share) { shares_[{own, chunk}] += share; }
    void count_token() { ++tokens_; }
    // The chunks with the largest shares, averaged over the tokens counted, as people want them
    // told; then the tally is empty. `sequence` is the session's, `chunk` its tokens a chunk.
    std::vector<RetrievedChunk> take(const MemorySearch& search, const Sequence& sequence,
                                     size_t chunk, const RetrieveOptions& options);

  private:
    std::map<std::pair<bool, uint64_t>, double> shares_;
    uint64_t tokens_ = 0;
};

}  // namespace rpt::reader
