// A talk: lines in, answers out, every turn stored as it is said.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/rpt/chat_answer.h"
#include "apps/rpt/line_source.h"
#include "apps/rpt/workplace.h"

namespace rpt::cli {

struct TalkOptions {
    std::string store, system;
    size_t n_notes = 2;
    ChatSampling sampling;
};

class Talk {
  public:
    // Borrows all; `place` has the model, the store and the one space of the talk.
    Talk(const Settings& settings, Workplace& place, const TalkOptions& options, LineSource& lines);
    // Until the input ends. Returns the exit code: of a pipe, 1 if a line failed.
    int run();

  private:
    void take_line();
    void answer(const std::string& message);
    void say(int32_t speaker, const std::string& text);
    void command(std::string_view name, std::string_view rest);
    void tell_why() const;
    void tell_size() const;
    void forget(std::string_view words);
    // Erases what was deleted from the disk.
    void compact(rpt_cancel* cancel) const;
    void load_history() const;
    // The last turns of this run that the prompt has room for.
    std::vector<Turn> recent_turns() const;

    const Settings& settings_;
    Workplace& place_;
    const TalkOptions& options_;
    LineSource& lines_;
    ChatTurns turns_;
    Session session_;
    size_t recent_bytes_;
    bool ended_ = false;
    uint64_t line_number_ = 0;
    std::vector<Turn> said_;                // in this run
    std::optional<std::vector<Note>> why_;  // notes of the last answer
};

}  // namespace rpt::cli
