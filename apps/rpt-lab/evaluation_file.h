// What `rpt-lab eval --out` wrote, read back for a comparison.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "lab/eval/system_comparison.h"

namespace rpt::lab {

// Plain or compressed (.zst). Throws kNotFound, kCorrupt for a file that is no evaluation.
nlohmann::json read_evaluation(const std::string& path);
// What an evaluation says of one row; without a name its usual row, named in `row` then. `path` is
// for errors: kArgument for a row that it has not, kCorrupt for what is no evaluation.
eval::Reading reading_of(const nlohmann::json& evaluation, const std::string& path,
                         std::string& row);

// A system as the command line names it: "FILE", "NAME=FILE,FILE" (one training a file) or
// "NAME:ROW=FILE". Without a row: `row`, and where that is empty the file's usual row. Throws
// kArgument for a row that a file has not, kCorrupt for a file that is no evaluation.
eval::System read_system(const std::string& text, const std::string& row);

}  // namespace rpt::lab
