// What a talk remembers for a message: the one place that knows how turns are found.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "apps/rpt/chat_turns.h"

namespace rpt::cli {

struct Note {
    float score = 0;  // as a share of what the message itself scores: 1 is the same text
    Turn turn;
};

// At most `k` turns that may help to answer `message`, a turn that is stored; the best first. They
// are what the user said and did not ask. None whose score is below the threshold, and none of
// `left_out`, which holds keys.
std::vector<Note> find_notes(const ChatTurns& turns, const Turn& message,
                             const std::set<std::string>& left_out, size_t k, rpt_cancel* cancel);

// As the prompt has it: what is long is cut.
std::string note_text(const Note& note);

}  // namespace rpt::cli
