// The config.json beside a model's tensors.
#pragma once

#include <string>
#include <string_view>

#include "core/model/config.h"

namespace rpt::weights {

// `path` names the folder in error lines. kCorrupt for keys that are missing or of a wrong kind;
// kUnsupported, naming the key and what is supported, for what the library does not compute.
model::ModelConfig read_folder_config(const std::string& path, std::string_view json);

}  // namespace rpt::weights
