// Texts that a command takes whole: a query, a prompt, a text to be scored.
#pragma once

#include <string>

namespace rpt::cli {

// The text of a file or a pipe, or of stdin for "-": UTF-8 without a byte order mark. Of a file
// that grows meanwhile what it had at the start.
std::string read_whole_text(const std::string& path);

}  // namespace rpt::cli
