// How a command that failed says so.
#pragma once

#include <functional>

namespace rpt::cli {

// The exit code of `command`. A failure becomes one line on stderr and, with `json`, an object
// {"error": {"code", "message"}} on stdout.
int report_failures(bool json, const std::function<int()>& command);

}  // namespace rpt::cli
