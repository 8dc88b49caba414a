// Where model packages are found by name.
#pragma once

#include <string>
#include <vector>

namespace rpt::cli {

// Files shipped beside the program: <program>/../share/rpt/<name>, then the source tree this
// program was built from. Empty if there is none.
std::string find_shipped(const std::string& folder, const std::string& file);
// `wanted` is a path, a name ("small"), or empty for the shipped model. Throws Failure naming the
// places looked at.
std::string find_model(const std::string& wanted);

}  // namespace rpt::cli
