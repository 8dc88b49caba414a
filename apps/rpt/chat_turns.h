// The turns of a talk in a memory: one document each, with its time and who said it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/rpt/handles.h"

namespace rpt::cli {

struct Turn {
    std::string key;  // time and speaker; sorts by time
    int32_t speaker = RPT_SPEAKER_USER;
    int64_t time_ms = 0;
    std::string text;
};

struct TalkSize {
    uint64_t n_turns = 0, bytes = 0;
    int64_t since_ms = 0;  // the first turn
};

// "user" and "assistant".
const char* speaker_name(int32_t speaker);

class ChatTurns {
  public:
    // Borrows the space of one owner's talk.
    explicit ChatTurns(rpt_space* space) : space_(space) {}
    rpt_space* space() const { return space_; }

    // Stored and searchable on return.
    Turn add(int32_t speaker, const std::string& text, int64_t now_ms) const;
    Turn read(const std::string& key) const;
    // In the order in which they were said.
    void visit(const std::function<void(const Turn&)>& visitor) const;
    // Keys, in this order too.
    std::vector<std::string> keys() const;
    TalkSize size() const;
    void remove(const std::string& key) const;

  private:
    rpt_space* space_;
};

// The turns that hold every one of the words, which are set apart by spaces. Case does not count.
std::vector<Turn> turns_with(const ChatTurns& turns, std::string_view words);

}  // namespace rpt::cli
