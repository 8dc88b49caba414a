// Which memory file belongs to a model: it names the fingerprint of the model's weights.
#pragma once

#include <string>

namespace rpt::cli {

struct MemoryFile {
    std::string path;
    std::string weights;     // the fingerprint that it names, in hexadecimal digits
    bool untrained = false;  // rpt model import made it, not rpt-lab memory fit
};
// What a memory file tells of itself; `weights` is empty if it is none.
MemoryFile read_memory_file(const std::string& path);

// Puts the memory file of an imported model beside it: the one beside its source, the one that is
// beside it already, or else one of list_memory_files(), whatever its name. Trained ones come
// first. `path` is that of the new file; empty if none belongs to the model.
MemoryFile bring_memory(const std::string& source, const std::string& model,
                        const std::string& fingerprint);

}  // namespace rpt::cli
