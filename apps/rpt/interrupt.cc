#include "apps/rpt/interrupt.h"

#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

// A call that had not begun to wait when the signal came would wait for ever, so the signal comes
// again until the program has ended.
constexpr int64_t kAgainMs = 200;
// How long work may take to end after its time.
constexpr int kMaxAgain = 15;

rpt_cancel* g_token = nullptr;
volatile std::sig_atomic_t g_stop = 0;  // a Stop
volatile std::sig_atomic_t g_n_alarms = 0;
std::array<int, 2> g_pipe = {-1, -1};
rpt_cancel* volatile g_piece = nullptr;  // of the Interruption that lives
volatile std::sig_atomic_t g_piece_ended = 0;
int64_t g_timeout_ms = 0;

void set_alarm(int64_t first_ms) {
    const auto time = [](int64_t ms) {
        timeval value = {};
        value.tv_sec = static_cast<time_t>(ms / 1000);
        value.tv_usec = static_cast<suseconds_t>(ms % 1000 * 1000);
        return value;
    };
    const itimerval timer = {time(kAgainMs), time(first_ms)};
    setitimer(ITIMER_REAL, &timer, nullptr);
}

// Only what is allowed in a handler: stores and system calls.
void stop(Stop reason) {
    if (g_stop == 0) g_stop = static_cast<std::sig_atomic_t>(reason);
    rpt_cancel_request(g_token);
    if (g_piece != nullptr) rpt_cancel_request(g_piece);
    const char byte = 0;
    if (write(g_pipe[1], &byte, 1) < 0) return;  // full: whoever waits has been woken
}

extern "C" void rpt_cli_on_signal(int) {
    const int kept = errno;
    stop(Stop::kSignal);
    set_alarm(kAgainMs);
    errno = kept;
}

extern "C" void rpt_cli_on_piece_signal(int) {
    const int kept = errno;
    g_piece_ended = 1;
    if (g_piece != nullptr) rpt_cancel_request(g_piece);
    errno = kept;
}

extern "C" void rpt_cli_on_alarm(int) {
    const int kept = errno;
    stop(Stop::kTimeout);
    g_n_alarms = g_n_alarms + 1;
    if (g_stop == static_cast<std::sig_atomic_t>(Stop::kTimeout) && g_n_alarms > kMaxAgain) {
        static constexpr char kText[] =
            "rpt: the time of --timeout is over and the work did not end by itself; what was "
            "flushed is in the memory\n";
        if (write(STDERR_FILENO, kText, sizeof kText - 1) < 0) _exit(kExitFailed);
        _exit(kExitFailed);
    }
    errno = kept;
}

void handle(int signal, void (*handler)(int), int flags) {
    struct sigaction action = {};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) return;
    action = {};
    action.sa_handler = handler;
    // Without SA_RESTART a call that waits comes back.
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
}

void ignore(int signal) {
    struct sigaction action = {};
    action.sa_handler = SIG_IGN;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
}

void open_pipe() {
    if (pipe2(g_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        throw Failure("cannot open a pipe: too many files are open");
}

}  // namespace

void watch_interrupts(int64_t timeout_ms, int64_t spent_ms) {
    if (g_token == nullptr) g_token = rpt_cancel_new();
    if (g_token == nullptr) throw std::bad_alloc();
    if (g_pipe[0] < 0) open_pipe();
    const int once = static_cast<int>(SA_RESETHAND);
    handle(SIGINT, rpt_cli_on_signal, once);
    handle(SIGTERM, rpt_cli_on_signal, once);
    // A terminal that goes away sends it more than once.
    handle(SIGHUP, rpt_cli_on_signal, 0);
    struct sigaction alarm = {};
    alarm.sa_handler = rpt_cli_on_alarm;
    sigemptyset(&alarm.sa_mask);
    sigaction(SIGALRM, &alarm, nullptr);
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarms, nullptr);
    // A reader that went away and a limit on the size of files are errors of the write, not the end
    // of the process.
    ignore(SIGPIPE);
    ignore(SIGXFSZ);
    g_timeout_ms = timeout_ms;
    if (timeout_ms > 0) set_alarm(std::max<int64_t>(1, timeout_ms - spent_ms));
}

Interruption::Interruption() : token_(rpt_cancel_new()) {
    if (token_ == nullptr) throw std::bad_alloc();
    g_piece_ended = 0;
    g_piece = token_;
    if (interrupted()) rpt_cancel_request(token_);
    handle(SIGINT, rpt_cli_on_piece_signal, 0);
}

Interruption::~Interruption() {
    handle(SIGINT, rpt_cli_on_signal, static_cast<int>(SA_RESETHAND));
    g_piece = nullptr;
    rpt_cancel_free(token_);
}

bool Interruption::came() const {
    return g_piece_ended != 0;
}

rpt_cancel* interrupt_token() {
    return g_token;
}
Stop stop_reason() {
    return static_cast<Stop>(g_stop);
}
int stop_fd() {
    return g_pipe[0];
}

std::string stop_text() {
    return stop_reason() == Stop::kTimeout ? "gave up after " + format_duration_ms(g_timeout_ms)
                                           : "interrupted";
}

Failure stop_failure(const std::string& rest) {
    const bool late = stop_reason() == Stop::kTimeout;
    return Failure(stop_text() + (rest.empty() ? "" : "; " + rest),
                   late ? kExitFailed : kExitInterrupted,
                   late ? RPT_ERR_TIMEOUT : RPT_ERR_CANCELLED);
}

void fail_stopped(const std::string& rest) {
    throw stop_failure(rest);
}

}  // namespace rpt::cli
