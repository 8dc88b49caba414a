#include "apps/rpt/chat_talk.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "apps/rpt/chat_record.h"
#include "apps/rpt/failure_report.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/memory_access.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"
#include "apps/rpt/utf8_scan.h"

namespace rpt::cli {
namespace {

constexpr size_t kHistoryTurns = 1000;
constexpr size_t kKeptTurns = 256;  // of this run; more than a prompt ever holds
constexpr const char* kHelp =
    "/why            which notes the last answer had\n"
    "/forget WORDS   delete the turns that hold all of these words\n"
    "/memory         how much is remembered, and since when\n"
    "/help           this\n"
    "/quit           end; so does Ctrl-D. Ctrl-C ends an answer\n"
    "//TEXT          say /TEXT\n";

int64_t now_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string counted(uint64_t n, const char* what) {
    return format_count(n) + " " + what + (n == 1 ? "" : "s");
}

// "/why" and the rest of the line; nothing if the line is said to the model. A path such as
// /home/anna is no command.
std::optional<std::string_view> command_of(std::string_view line) {
    if (!line.starts_with('/') || line.starts_with("//")) return std::nullopt;
    const std::string_view word = line.substr(1, line.find(' ') - 1);
    const bool name = std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; });
    return name ? std::optional(word) : std::nullopt;
}

}  // namespace

Talk::Talk(const Settings& settings, Workplace& place, const TalkOptions& options,
           LineSource& lines)
    : settings_(settings),
      place_(place),
      options_(options),
      lines_(lines),
      turns_(place.spaces.front().get()),
      session_(place.new_session(false)),
      // A third of the window at three bytes a token, so that the prompt has room for all of them:
      // what stands in it needs no note.
      recent_bytes_(place.model_info().window_tokens) {}

int Talk::run() {
    if (lines_.person()) {
        load_history();
        const TalkSize size = turns_.size();
        remark(settings_, size.n_turns == 0 ? "nothing is remembered yet; /help tells more"
                                            : counted(size.n_turns, "turn") + " since " +
                                                  format_time(size.since_ms) +
                                                  " are remembered; /help tells more");
    }
    int worst = kExitDone;
    while (!ended_ && !reader_left()) {
        const int code = report_failures(settings_.json, [&] {
            take_line();
            return kExitDone;
        });
        if (interrupted()) return code;
        if (code != kExitDone) worst = kExitFailed;
    }
    return lines_.person() ? kExitDone : worst;
}

void Talk::take_line() {
    ended_ = true;  // unless the input can go on
    std::optional<std::string> line;
    ++line_number_;
    try {
        line = lines_.next("> ");
    } catch (const Failure& failure) {
        ended_ = failure.status() != RPT_ERR_TOO_LARGE;
        throw;
    }
    if (!line) return;
    ended_ = false;
    Utf8Scan scan;
    std::optional<uint64_t> invalid = scan.feed(*line);
    if (!invalid) invalid = scan.finish();
    if (invalid)
        throw Failure("line " + std::to_string(line_number_) + ": not UTF-8 at byte " +
                          std::to_string(*invalid) +
                          "; it was left out, send it as UTF-8 (iconv converts)",
                      kExitFailed, RPT_ERR_UTF8);
    if (line->find_first_not_of(" \t") == std::string::npos) return;
    if (const auto name = command_of(*line))
        return command(*name, std::string_view(*line).substr(1 + name->size()));
    answer(line->starts_with("//") ? line->substr(1) : *line);
}

std::vector<Turn> Talk::recent_turns() const {
    size_t begin = said_.size(), bytes = 0;
    while (begin > 0 && bytes + said_[begin - 1].text.size() <= recent_bytes_)
        bytes += said_[--begin].text.size();
    return {said_.begin() + static_cast<ptrdiff_t>(begin), said_.end()};
}

void Talk::say(int32_t speaker, const std::string& text) {
    said_.push_back(turns_.add(speaker, text, now_ms()));
    if (said_.size() > kKeptTurns) said_.erase(said_.begin());
}

void Talk::answer(const std::string& message) {
    const Interruption interruption;
    ChatPast past{options_.system, recent_turns(), {}};
    say(RPT_SPEAKER_USER, message);
    Answer made;
    try {
        std::set<std::string> left_out;
        for (const Turn& turn : past.turns) left_out.insert(turn.key);
        past.notes =
            find_notes(turns_, said_.back(), left_out, options_.n_notes, interruption.token());
        made = answer_message(session_.get(), past, message, options_.sampling, !settings_.json,
                              interruption.token());
    } catch (const Failure& failure) {  // Ctrl-C, before there was any answer
        if (failure.status() != RPT_ERR_CANCELLED || !interruption.came()) throw;
        made.status = RPT_ERR_CANCELLED;
    }
    past.notes.resize(std::min<size_t>(past.notes.size(), made.result.chat_notes));
    // What was cut short was still said.
    if (!made.text.empty()) say(RPT_SPEAKER_ASSISTANT, made.text);
    if (settings_.json) {
        print_json(answer_json(made, past.notes));
    } else {
        if (!made.text.ends_with('\n')) print_line("");
        flush_output();
    }
    why_ = std::move(past.notes);
}

void Talk::command(std::string_view name, std::string_view rest) {
    if (name == "quit") {
        ended_ = true;
    } else if (name == "why") {
        tell_why();
    } else if (name == "memory") {
        tell_size();
    } else if (name == "forget") {
        forget(rest);
    } else if (name == "help") {
        if (settings_.json)
            print_json({{"help", kHelp}});
        else
            print(kHelp);
    } else {
        throw Failure("there is no command /" + std::string(name) + "; /help lists them, and //" +
                          std::string(name) + " says it",
                      kExitUsage);
    }
    flush_output();
}

void Talk::tell_why() const {
    if (settings_.json)
        return print_json({{"notes", notes_json(why_.value_or(std::vector<Note>()))}});
    if (!why_) return print_line("nothing was answered yet");
    if (why_->empty()) return print_line("no earlier turn was near enough to be a note");
    for (const Note& note : *why_)
        print_line("score " + format_fixed(note.score, 2) + "  " + turn_line(note.turn));
}

void Talk::tell_size() const {
    const TalkSize size = turns_.size();
    const uint64_t disk = read_stats(place_.store.get()).disk_bytes;
    if (settings_.json)
        return print_json({{"turns", size.n_turns},
                           {"since_ms", size.since_ms},
                           {"bytes", size.bytes},
                           {"disk_bytes", disk}});
    const std::string since = size.n_turns == 0 ? "" : " since " + format_time(size.since_ms);
    print_line(counted(size.n_turns, "turn") + since + ", " + format_size(size.bytes) +
               " of text; the memory takes " + format_size(disk) + " on the disk");
}

void Talk::forget(std::string_view words) {
    const std::vector<Turn> found = turns_with(turns_, words);
    if (words.find_first_not_of(' ') == std::string_view::npos)
        throw Failure("/forget: say which words the turns hold", kExitUsage);
    if (!settings_.json) {
        for (const Turn& turn : found) print_line(turn_line(turn));
        if (found.empty()) print_line("no turn holds all of these words");
    }
    if (!found.empty() && lines_.person()) {
        const auto reply = lines_.next("delete " + counted(found.size(), "turn") + "? [y/N] ");
        if (!reply || (*reply != "y" && *reply != "Y")) return print_line("nothing was deleted");
    }
    const Interruption interruption;
    for (const Turn& turn : found) {
        turns_.remove(turn.key);
        std::erase_if(said_, [&](const Turn& said) { return said.key == turn.key; });
        if (why_) std::erase_if(*why_, [&](const Note& note) { return note.turn.key == turn.key; });
    }
    if (!found.empty()) {
        if (lines_.person()) load_history();
        compact(interruption.token());
    }
    if (!settings_.json && !found.empty())
        return print_line("deleted " + counted(found.size(), "turn"));
    if (!settings_.json) return;
    auto deleted = nlohmann::ordered_json::array();
    for (const Turn& turn : found) deleted.push_back(turn_json(turn));
    print_json({{"deleted", std::move(deleted)}});
}

void Talk::compact(rpt_cancel* cancel) const {
    rpt_call call = RPT_CALL_INIT;
    call.cancel = cancel;
    Error error;
    const rpt_status status = rpt_store_compact(place_.store.get(), &call, error.out());
    if (status == RPT_ERR_BUSY || status == RPT_ERR_CANCELLED)
        remark(settings_, "not all of it is erased from the disk yet; rpt memory compact " +
                              options_.store + " does that");
    else
        error.check(status);
}

void Talk::load_history() const {
    const std::vector<std::string> keys = turns_.keys();
    std::vector<std::string> lines;
    for (size_t i = keys.size() - std::min(keys.size(), kHistoryTurns); i < keys.size(); ++i) {
        const Turn turn = turns_.read(keys[i]);
        if (turn.speaker == RPT_SPEAKER_USER) lines.push_back(turn.text);
    }
    lines_.set_history(lines);
}

}  // namespace rpt::cli
