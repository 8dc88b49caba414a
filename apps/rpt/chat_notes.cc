#include "apps/rpt/chat_notes.h"

#include <algorithm>

#include "apps/rpt/hit_record.h"
#include "apps/rpt/utf8_text.h"

namespace rpt::cli {
namespace {

// Number of the leg whose scores tell whether a turn is near enough (rpt.h).
constexpr size_t kLeg = 2;
// A turn with a smaller share of the message's own score is no note.
constexpr float kLeastShare = 0.2f;
// Beyond those that are left out: most of what is like a question are questions and answers.
constexpr size_t kMoreHits = 256;
constexpr size_t kMostHits = 1024;
constexpr size_t kNoteBytes = 400;  // about 100 tokens: two notes leave room for the talk

// What the user said and did not ask. A question answers nothing, and is more like the same
// question than any answer. What a model once made up must not come back as something that is
// known.
bool tells_something(const Turn& turn) {
    if (turn.speaker != RPT_SPEAKER_USER) return false;
    const std::string_view text = turn.text;
    const std::string_view said = text.substr(0, text.find_last_not_of(" \t\"')") + 1);
    return !said.ends_with('?') && !said.ends_with("\uFF1F") && !said.ends_with("\u061F");
}

float score_by(const HitRecord& hit, size_t leg) {
    const auto place = std::ranges::find(hit.legs, leg, &HitRecord::LegPlace::leg);
    return place != hit.legs.end() ? place->score : 0;
}

// What the message itself scores: it is stored, and nothing is more like it. It may be told as an
// older turn of the same words, which shares its text.
float whole_score(const std::vector<HitRecord>& records) {
    float most = 0;
    for (const HitRecord& hit : records) most = std::max(most, score_by(hit, kLeg));
    return most;
}

}  // namespace

std::vector<Note> find_notes(const ChatTurns& turns, const Turn& message,
                             const std::set<std::string>& left_out, size_t k, rpt_cancel* cancel) {
    std::vector<Note> notes;
    if (k == 0) return notes;
    rpt_retrieve_options options = RPT_RETRIEVE_OPTIONS_INIT;
    options.k = static_cast<uint32_t>(std::min(kMostHits, k + left_out.size() + kMoreHits));
    options.max_per_doc = 1;
    rpt_call call = RPT_CALL_INIT;
    call.cancel = cancel;
    rpt_space* const space = turns.space();
    rpt_hits* found = nullptr;
    Error error;
    error.check(rpt_retrieve(&space, 1, message.text.data(), message.text.size(), &options, &call,
                             &found, error.out()));
    const Hits hits(found);
    const std::vector<HitRecord> records = copy_hits(hits.get());
    // Pieces of words tell best whether two short texts are of the same thing. A leg's scores
    // compare within one search alone, so they count as shares of what the message scores there.
    const float whole = whole_score(records);
    if (whole <= 0) return notes;  // nothing is like anything
    for (const HitRecord& hit : records) {
        if (notes.size() == k) break;
        if (hit.key == message.key || left_out.contains(hit.key)) continue;
        const float share = score_by(hit, kLeg) / whole;
        if (share < kLeastShare) continue;
        Turn turn = turns.read(hit.key);
        if (tells_something(turn) && turn.text != message.text)
            notes.push_back({share, std::move(turn)});
    }
    return notes;
}

std::string note_text(const Note& note) {
    const std::string_view text = note.turn.text;
    std::string out(first_bytes(text, kNoteBytes));
    if (text.size() > kNoteBytes) out += "...";
    return out;
}

}  // namespace rpt::cli
