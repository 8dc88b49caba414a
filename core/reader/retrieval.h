// One search over a reader's own past and the spaces it may read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "core/reader/search_legs.h"
#include "storage/store.h"

namespace rpt::reader {

struct RetrieveOptions {
    uint32_t k = 0;  // 0: as the session says, or else the model
    storage::SearchFilter filter;
    bool with_text = false;
    uint32_t legs = kAllLegs;  // of retrieve(): bits of Leg; sessions ask the model's keys alone
};

// A chunk that was retrieved, as a person would want it told.
struct RetrievedChunk {
    bool own = false;  // of the session's own past; then only `bytes` and `ordinal` of `info` have
                       // a meaning
    storage::HitInfo info;
    float score = 0;
    LegPlaces legs{};  // of retrieve()
    float gate = 1;    // what the neighbour gate made of it; 1 if it was not shown to the model
    // Share of the probability of a range of tokens that was copied from this chunk, from 0 to 1; 0
    // for chunks that were read otherwise.
    float copied = 0;
    uint32_t reading = 0;         // kRead*: the way in which the model read it; 0: it did not
    std::string text, next_text;  // if asked for
};

// What `text` finds in the union of `spaces` by options.legs, best first, ties to the lower chunk
// id. The keys are asked with the last chunk of the text (the unfinished one if there is no whole
// one), the other legs with all of it. Of keys alone, scores are theirs; otherwise those of fuse(),
// and options.filter.min_score counts for them. kArgument for no text or no spaces; kUnsupported
// where keys alone are asked and the model has no retriever: with other legs it is done without.
std::vector<RetrievedChunk> retrieve(const engine::Engine& engine,
                                     const std::vector<std::shared_ptr<storage::Space>>& spaces,
                                     storage::Store& store, std::string_view text,
                                     const RetrieveOptions& options,
                                     const CallControl& control = {});

}  // namespace rpt::reader
