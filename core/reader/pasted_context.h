// What the model reads of a question in the way `text`: begin token, the tokens of chunks that hold
// places like the last ones, the last tokens of the session.
#pragma once

#include <cstddef>
#include <vector>

#include "core/reader/aside_context.h"
#include "core/reader/session_impl.h"

namespace rpt::reader {

struct PastedContext {
    AsideContext aside;
    std::vector<RetrievedChunk> chunks;  // that were pasted, by score
};

// Together at most the window, two blocks, less room for the `answer` tokens behind the session's
// last byte, at most half a block. Chunks, each with its successor, have at most half of it, and
// the session's last tokens the rest. The last 64 tokens up to the session's last byte choose the
// chunks as for the way `upper`: of the spaces, and of the own past what lies before the least part
// that the session can have here. They stand in the order of their numbers, those of spaces first,
// each once. `with_tail`: the session's part goes up to its last byte; otherwise up to its last
// final token, and the caller encodes what follows together with the answer.
PastedContext paste_context(Session::Impl& session, const RetrieveOptions& options, bool with_tail,
                            size_t answer, const CallControl& control);

}  // namespace rpt::reader
