// What a memory is worth on documents that it was not fitted on.
#pragma once

#include <string>
#include <vector>

#include "lab/memory/copy_reader.h"

namespace rpt::memory {

// Nats of the tokens of one document whose block begins at or behind the first token that counts,
// under several ways of reading.
struct DocumentTrial {
    std::string corpus, id;
    int64_t tokens = 0;
    double without = 0;  // no memory
    double own = 0;      // copies from its far past
    double random = 0;   // the same places, followed by one another's tokens: a control
    double other = 0;    // a space with another document, alone
    double wide = 0;     // no memory, a longer window; 0 where it was not measured
};

// `wide`: the same documents read with a longer window, or none. Each document's space holds the
// next document of the list, but for a list of one.
std::vector<DocumentTrial> try_memory(const CopyParameters& own, const CopyParameters& spaces,
                                      const std::vector<DocumentCache>& documents,
                                      const std::vector<DocumentCache>& wide, int64_t stride,
                                      int64_t first_token);

}  // namespace rpt::memory
