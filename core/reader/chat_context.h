// A conversation beside a session: the prompt as a stream of its own reads it.
#pragma once

#include "core/reader/aside_context.h"
#include "core/reader/session_impl.h"

namespace rpt::reader {

struct ChatContext {
    AsideContext aside;
    int32_t end_of_turn = -1;  // the token that ends the answer
    size_t n_turns = 0, n_notes = 0;
};

// The prompt has the window, two blocks, less the begin token and room for the answer: its limit,
// at most half a block. All of the session is past. Fails as chat_prompt() does.
ChatContext chat_context(const Session::Impl& session, const ChatRequest& request,
                         uint32_t max_tokens);

}  // namespace rpt::reader
