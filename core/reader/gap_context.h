// What the model reads to fill a gap: begin token, prefix token, the last of the text before the
// gap, suffix token, the first of the text behind it, middle token. The order of training
// (docs/training.md).
#pragma once

#include <cstdint>
#include <string_view>

#include "core/reader/aside_context.h"
#include "core/reader/session_impl.h"

namespace rpt::reader {

// Together at most the window, two blocks, less room for the answer: its limit, at most half a
// block. The suffix has a third of that, the prefix the rest, and what one leaves free the other
// takes. The tokens before the gap are those of the session; the suffix is encoded as a text of its
// own.
// kUnsupported if the tokenizer lacks one of the three tokens, kUtf8 for an invalid suffix.
AsideContext gap_context(const Session::Impl& session, std::string_view suffix,
                         uint32_t max_tokens);

// The last chunk of the own past that lies before `byte` together with its successor; negative if
// there is none.
int64_t last_chunk_before(const OwnPast& own, uint64_t byte);

}  // namespace rpt::reader
