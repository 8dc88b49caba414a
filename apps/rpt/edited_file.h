// A file that is being edited: what stands before a place in it, and its own document in the
// memory.
#pragma once

#include <cstdint>
#include <string>

#include "apps/rpt/workplace.h"

namespace rpt::cli {

// Lines 1 to `line` of the text, without the break behind the last: a model that reads the break
// has begun another line. Fails for a line that `path` has not.
std::string text_up_to_line(const std::string& text, uint64_t line, const std::string& path);

// Key of the file's document in one of the place's spaces; empty if it has none.
std::string document_of_file(const Workplace& place, const std::string& path);

}  // namespace rpt::cli
