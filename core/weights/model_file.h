// Opens a model, whatever file it is in.
#pragma once

#include <memory>
#include <string>

#include "core/weights/package.h"

namespace rpt::weights {

// `path`: a package of ours, a GGUF file, or a folder of safetensors with config.json and
// tokenizer.json. A memory file beside it (memory_path_of()) is joined. A package without `verify`
// is not read whole; the others always are, because they do not tell the hash of their bytes.
// Throws what Package::open(), open_gguf_model(), open_folder_model() and join_memory() throw.
std::shared_ptr<const Package> open_model(const std::string& path, bool verify = true,
                                          const CallControl& control = {});

// The same without a memory file.
std::shared_ptr<const Package> open_model_alone(const std::string& path, bool verify = true,
                                                const CallControl& control = {});

}  // namespace rpt::weights
