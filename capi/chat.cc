#include "capi/chat.h"

#include <string>

#include "base/error.h"
#include "capi/records.h"

namespace rpt::capi {
namespace {

constexpr size_t kMaxTurns = 65536;
constexpr size_t kMaxNotes = 64;

void check_count(const void* list, size_t n, size_t most, const char* name) {
    if (n <= most && (n == 0 || list != nullptr)) return;
    throw Error(Status::kArgument, "rpt",
                std::string(name) + " is NULL or there are more than " + std::to_string(most));
}

std::string read_text(rpt_str text, const std::string& name) {
    check_text(text.data, text.size, name.c_str());
    return text.size == 0 ? std::string() : std::string(text.data, text.size);
}

std::string numbered(const char* list, size_t i) {
    return "chat." + std::string(list) + "[" + std::to_string(i) + "]";
}

const char* role_of(const rpt_turn& turn, size_t i) {
    check_reserved(turn.reserved0, "chat.turns.reserved0");
    if (turn.speaker == RPT_SPEAKER_USER) return "user";
    if (turn.speaker == RPT_SPEAKER_ASSISTANT) return "assistant";
    throw Error(Status::kArgument, "rpt",
                numbered("turns", i) + ": there is no speaker " + std::to_string(turn.speaker));
}

}  // namespace

reader::ChatRequest read_chat(const rpt_chat* chat) {
    const rpt_chat c = read_options(chat, "options.chat");
    check_flags(c.flags, 0, "chat.flags");
    check_count(c.turns, c.n_turns, kMaxTurns, "chat.turns");
    check_count(c.notes, c.n_notes, kMaxNotes, "chat.notes");
    reader::ChatRequest out;
    out.system = read_text(c.system, "chat.system");
    out.message = read_text(c.message, "chat.message");
    if (out.message.empty())
        throw Error(Status::kArgument, "rpt", "chat.message is empty: there is nothing to answer");
    for (size_t i = 0; i < c.n_turns; ++i)
        out.turns.push_back(
            {role_of(c.turns[i], i), read_text(c.turns[i].text, numbered("turns", i))});
    for (size_t i = 0; i < c.n_notes; ++i)
        out.notes.push_back(read_text(c.notes[i], numbered("notes", i)));
    return out;
}

}  // namespace rpt::capi
