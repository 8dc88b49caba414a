// Whole texts as zstd files. In a build without zstd both throw kUnsupported.
#pragma once

#include <string>

namespace rpt::train {

// Throws kNotFound, kIo, kCorrupt. A text that does not end with "\n" gets one.
std::string read_compressed(const std::string& path);
// The file's bytes; `path` is for errors.
std::string compressed(const std::string& text, const std::string& path);

}  // namespace rpt::train
