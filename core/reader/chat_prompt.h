// What a model reads to answer a conversation: the tokens of its own form, fitted into the window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_template.h"

namespace rpt::reader {

struct ChatRequest {
    std::string system;                    // empty: what the form says by default
    std::vector<text::ChatMessage> turns;  // "user" and "assistant", the oldest first
    std::vector<std::string> notes;        // the best first
    std::string message;                   // of the user
};

struct ChatPrompt {
    std::vector<int32_t> ids;  // without the token that begins every text
    size_t n_turns = 0;        // the last ones of the request
    size_t n_notes = 0;        // the first ones of the request
};

// The message as the model reads it: notes first, one a line. White space within a note becomes
// single spaces.
std::string with_notes(std::span<const std::string> notes, std::string_view message);

// At most `room` tokens. Turns that find no room are left out from the oldest on, so that a user's
// turn comes first; if that is not enough, notes from the worst on.
// kTooLarge if the message does not fit by itself; kUnsupported if the form is not known.
ChatPrompt chat_prompt(const text::Tokenizer& tokenizer, const text::ChatTemplate& form,
                       const ChatRequest& request, size_t room);

}  // namespace rpt::reader
