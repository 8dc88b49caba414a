#include "apps/rpt/interrupt.h"

#include <csignal>

namespace rpt::cli {
namespace {

rpt_cancel* g_token = nullptr;
volatile std::sig_atomic_t g_interrupted = 0;

extern "C" void rpt_cli_on_signal(int) {
    g_interrupted = 1;
    rpt_cancel_request(g_token);  // one store: allowed in a handler
}

}  // namespace

void watch_interrupts() {
    if (g_token == nullptr) g_token = rpt_cancel_new();
    struct sigaction action = {};
    action.sa_handler = rpt_cli_on_signal;
    // Without SA_RESTART a read that waits for stdin comes back; with SA_RESETHAND the second
    // Ctrl-C kills.
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    // A reader of our output that went away is an error of the write, not the end of the process.
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, nullptr);
}

rpt_cancel* interrupt_token() {
    return g_token;
}
bool interrupted() {
    return g_interrupted != 0;
}

}  // namespace rpt::cli
