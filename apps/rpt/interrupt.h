// Why the program should end before its work is done: a signal, or the time that --timeout gave.
#pragma once

#include <cstdint>
#include <string>

#include "apps/rpt/handles.h"

namespace rpt::cli {

enum class Stop { kNone, kSignal, kTimeout };

// From here on SIGINT, SIGTERM, SIGHUP and the end of the time cancel the work under way. A second
// SIGINT or SIGTERM ends the process at once, and so does work that does not end some seconds
// after its time. Signals that the parent ignored stay ignored. `timeout_ms` 0: no limit;
// `spent_ms` of it have passed already.
void watch_interrupts(int64_t timeout_ms, int64_t spent_ms);
// The token of this process; lives until its end.
rpt_cancel* interrupt_token();
Stop stop_reason();

// While one lives, Ctrl-C ends a piece of work and not the program: it cancels this token, as often
// as it comes. Whatever else ends the program cancels it too. One at a time.
class Interruption {
  public:
    Interruption();
    ~Interruption();
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;
    rpt_cancel* token() const { return token_; }
    bool came() const;

  private:
    rpt_cancel* token_;
};
inline bool interrupted() {
    return stop_reason() != Stop::kNone;
}
// Readable from the moment when the program should end, so that a wait for something else can wait
// for this too. -1 before watch_interrupts().
int stop_fd();
// "interrupted" or "gave up after 3 s".
std::string stop_text();
// Ends the command. `rest` says what stays, such as "what was finished is in the memory".
Failure stop_failure(const std::string& rest);
[[noreturn]] void fail_stopped(const std::string& rest);

}  // namespace rpt::cli
