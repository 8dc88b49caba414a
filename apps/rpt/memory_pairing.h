// Which memory file belongs to a model: it names the fingerprint of the model's weights.
#pragma once

#include <string>

namespace rpt::cli {

// The fingerprint, in hexadecimal digits, that a memory file names; empty if it is none.
std::string weights_of_memory(const std::string& path);

// Puts the memory file of an imported model beside it: the one beside its source, or else one of
// list_memory_files(), whatever its name. Returns the new file's path; empty if none belongs to
// the model.
std::string bring_memory(const std::string& source, const std::string& model,
                         const std::string& fingerprint);

}  // namespace rpt::cli
