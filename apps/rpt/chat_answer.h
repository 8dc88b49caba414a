// One answer of a talk: what the prompt holds, and how the text comes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/rpt/chat_notes.h"
#include "apps/rpt/handles.h"

namespace rpt::cli {

struct ChatSampling {
    uint32_t max_tokens = 128, top_k = 0;
    float temperature = 0, top_p = 0, repeat_penalty = 0;
    uint64_t seed = 0;  // 0: a new one for each answer
};

struct Answer {
    std::string text;
    rpt_generate_result result = {};
    rpt_status status = RPT_OK;  // RPT_ERR_CANCELLED: it was interrupted; the text stands
};

// What stands before the message.
struct ChatPast {
    std::string system;
    std::vector<Turn> turns;
    std::vector<Note> notes;
};

// Answers `message`; with `stream` the text goes to stdout as it comes. Throws Failure for whatever
// fails but a cancel.
Answer answer_message(rpt_session* session, const ChatPast& past, const std::string& message,
                      const ChatSampling& sampling, bool stream, rpt_cancel* cancel);

// "eos", "length", "interrupted"; "host" if nobody reads stdout.
const char* finish_of(const Answer& answer);

}  // namespace rpt::cli
