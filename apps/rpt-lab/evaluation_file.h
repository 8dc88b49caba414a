// What `rpt-lab eval --out` wrote, read back for a comparison.
#pragma once

#include <string>

#include "core/eval/system_comparison.h"

namespace rpt::lab {

// A system as the command line names it: "FILE", "NAME=FILE,FILE" (one training a file) or
// "NAME:ROW=FILE". Without a row: `row`, and where that is empty the file's usual row. Throws
// kArgument for a row that a file has not, kCorrupt for a file that is no evaluation.
eval::System read_system(const std::string& text, const std::string& row);

}  // namespace rpt::lab
