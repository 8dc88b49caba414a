// Ctrl-C as a request to the library instead of the end of the process.
#pragma once

#include "include/rpt.h"

namespace rpt::cli {

// From here on SIGINT and SIGTERM cancel the work under way; a second one ends the process at once.
void watch_interrupts();
// The token of this process; lives until its end.
rpt_cancel* interrupt_token();
bool interrupted();

}  // namespace rpt::cli
