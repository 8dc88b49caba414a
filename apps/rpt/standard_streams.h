// stdin, stdout and stderr as the parent left them, which may be closed.
#pragma once

namespace rpt::cli {

// First of all: a stream that the parent closed is opened on /dev/null in a way that refuses its
// use, so that no file opened later gets its number and is taken for it.
void hold_standard_streams();

}  // namespace rpt::cli
