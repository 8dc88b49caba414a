// What a memory is worth on documents that it was not fitted on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/memory/copy_distribution.h"

namespace rpt::memory {

// Ways of reading a document from the first token that counts on.
enum class Way {
    kNone,          // no memory
    kOwn,           // copies from its far past
    kOwnFourBits,   // the same, keys as a store keeps them
    kMixedUp,       // the same places, followed by one another's tokens: a control
    kOther,         // a space with another document, alone
    kOwnAndOther,   // that space and the far past
    kWide,          // no memory, a longer window
    kFirstPart,     // a space with what stands before the first token that counts, alone
    kPastOfSecond,  // the far past from that token on
    kFirstAndPast,  // both
};
const char* name_of(Way way);

// Nats of the tokens of one document whose block begins at or behind the first token that counts.
struct DocumentTrial {
    std::string corpus, id;
    int64_t tokens = 0;
    std::vector<std::pair<Way, double>> nats;
    std::vector<std::pair<int64_t, double>> reaches;  // nats by how many far tokens were seen
    double of(Way way) const;                         // the way was tried
};

struct TrialOptions {
    int64_t first_token = 4096;
    // As if the document began anew at its middle, with its first half in a space: the ways
    // kNone, kFirstPart, kPastOfSecond, kFirstAndPast, of the second half's tokens that have far
    // ones in it.
    bool halves = false;
    // Instead of all other ways: the own past, of which only so many far tokens are seen, the last
    // ones.
    std::vector<int64_t> reaches = {};
};

// `wide`: the same documents read with a longer window, or none. Each document's space holds the
// next document of the list, but for a list of one. Documents without a token that counts are left
// out; kArgument if none has one.
std::vector<DocumentTrial> try_memory(const CopyParameters& own, const CopyParameters& spaces,
                                      const std::vector<DocumentCache>& documents,
                                      const std::vector<DocumentCache>& wide,
                                      const TrialOptions& options);

}  // namespace rpt::memory
