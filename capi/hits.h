// rpt_hits: the answer of one retrieval, and the options of retrievals.
#pragma once

#include <utility>
#include <vector>

#include "capi/store.h"
#include "core/reader/retrieval.h"

// Const after construction; any number of readers.
struct rpt_hits : rpt::capi::Handle {
    explicit rpt_hits(std::vector<rpt::reader::RetrievedChunk> f) : found(std::move(f)) {}
    const std::vector<rpt::reader::RetrievedChunk> found;
};

namespace rpt::capi {

inline constexpr uint32_t kMaxHits = 1024;  // of one search

reader::RetrieveOptions read_retrieve_options(const rpt_retrieve_options* options,
                                              const char* name);
// Of calls of a session: the model's keys alone are asked. kArgument for other legs.
reader::RetrieveOptions read_session_retrieve_options(const rpt_retrieve_options* options,
                                                      const char* name);

// Spaces given by a host: all of one store, none forked. The store is null if there are no spaces.
struct SpaceList {
    StoreRef store;
    std::vector<std::shared_ptr<storage::Space>> spaces;
};
SpaceList read_spaces(rpt_space* const* spaces, size_t n_spaces);

}  // namespace rpt::capi
