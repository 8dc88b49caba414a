// What a frozen model needs to read with a memory, in a file beside it (docs/format/memory.md).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/weights/package.h"
#include "core/weights/package_writer.h"

namespace rpt::weights {

// "a/NAME.memory.safetensors" for "a/NAME.gguf", "a/NAME.safetensors" and a folder "a/NAME".
std::string memory_path_of(const std::string& model_path);

// The model with the tensors and the configuration keys of the memory file. Its fingerprint is the
// SHA-256 of both files' fingerprints. kNotFound, kIo, kVersion; kCorrupt for a file that is
// damaged, holds tensors of another name than "memory.*" or changes what the weights are;
// kModelMismatch, with both fingerprints, for the file of another model.
std::shared_ptr<const Package> join_memory(std::shared_ptr<const Package> model,
                                           const std::string& memory_path, bool verify,
                                           const CallControl& control);

// Writes the memory file of the model with this fingerprint. `memory_json`: an object of the
// configuration keys that it changes.
void write_memory_file(const std::string& path, const std::map<std::string, TensorData>& tensors,
                       const std::string& memory_json, const Digest& model_fingerprint,
                       Metadata others = {});

}  // namespace rpt::weights
