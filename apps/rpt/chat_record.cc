#include "apps/rpt/chat_record.h"

#include "apps/rpt/memory_access.h"
#include "apps/rpt/output.h"

namespace rpt::cli {
namespace {

constexpr size_t kShownPoints = 72;  // of a turn, in one line

}  // namespace

nlohmann::ordered_json turn_json(const Turn& turn) {
    return {{"key", turn.key},
            {"speaker", speaker_name(turn.speaker)},
            {"timestamp_ms", turn.time_ms},
            {"text", turn.text}};
}

nlohmann::ordered_json notes_json(const std::vector<Note>& notes) {
    auto out = nlohmann::ordered_json::array();
    for (const Note& note : notes) {
        nlohmann::ordered_json one = {{"score", note.score}};
        one.update(turn_json(note.turn));
        out.push_back(std::move(one));
    }
    return out;
}

nlohmann::ordered_json answer_json(const Answer& answer, const std::vector<Note>& notes) {
    return {{"text", answer.text},
            {"tokens", answer.result.tokens},
            {"finish", finish_of(answer)},
            {"seed", answer.result.seed},
            {"first_token_ms", static_cast<double>(answer.result.first_token_us) / 1e3},
            {"total_ms", static_cast<double>(answer.result.total_us) / 1e3},
            {"turns", answer.result.chat_turns},
            {"notes", notes_json(notes)}};
}

std::string turn_line(const Turn& turn) {
    return format_time(turn.time_ms) + "  " + speaker_name(turn.speaker) + "  \"" +
           first_line(turn.text, kShownPoints) + "\"";
}

}  // namespace rpt::cli
