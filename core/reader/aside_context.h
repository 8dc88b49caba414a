// A context that is not the session's text in order: a stream of its own reads it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/reader/sequence.h"

namespace rpt::reader {

struct AsideContext {
    // All that is read before the answer. Its text is the session's, for showing its past.
    Sequence sequence;
    std::vector<int32_t> recent;  // tokens of the session that it reads, in order
    uint64_t begin = 0;           // byte of the session where these begin
};

}  // namespace rpt::reader
