// A folder of safetensors with config.json and tokenizer.json, as a model.
#pragma once

#include <memory>
#include <string>

#include "core/weights/package.h"

namespace rpt::weights {

// Tensors are those of the files that model.safetensors.index.json names, or of model.safetensors,
// or of all files *.safetensors. Throws what SafetensorsFile, match_tensors() and the tokenizer
// throw; kNotFound for a folder that lacks one of these files; kCorrupt and kUnsupported for
// config.json, naming the key.
std::shared_ptr<const Package> open_folder_model(const std::string& path,
                                                 const CallControl& control = {});

}  // namespace rpt::weights
