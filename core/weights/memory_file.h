// What a frozen model needs to read with a memory, in a file beside it (docs/format/memory.md).
#pragma once

#include <memory>
#include <string>

#include "core/weights/package.h"

namespace rpt::weights {

// "a/NAME.memory.safetensors" for "a/NAME.gguf", "a/NAME.safetensors" and a folder "a/NAME".
std::string memory_path_of(const std::string& model_path);

// Whether an open package is a memory file and no model.
bool is_memory_file(const Package& package);

// Whether nobody trained the memory of a model, or the memory file, that is open.
bool has_untrained_memory(const Package& package);

// The model with the tensors and the configuration keys of the memory file. Its fingerprint is the
// SHA-256 of both files' fingerprints and of the keys' text. kNotFound, kIo, kVersion; kCorrupt for
// a file that is damaged, is no memory file, holds tensors of another name than "memory.*" or
// changes what the weights are; kModelMismatch, with both fingerprints, for the file of another
// model.
std::shared_ptr<const Package> join_memory(std::shared_ptr<const Package> model,
                                           const std::string& memory_path, bool verify,
                                           const CallControl& control);
// The same of a memory that is open; `name` tells errors where it came from.
std::shared_ptr<const Package> join_memory(std::shared_ptr<const Package> model,
                                           std::shared_ptr<const Package> memory,
                                           const std::string& name);

}  // namespace rpt::weights
