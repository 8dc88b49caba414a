// Makes a package of a model that others trained, with its memory file.
#pragma once

#include <string>

#include "apps/rpt/memory_pairing.h"
#include "apps/rpt/settings.h"
#include "include/rpt.h"

namespace rpt::cli {

struct MadeModel {
    rpt_import_result facts{};
    MemoryFile memory;  // beside it; `path` is empty for a model that needs none
};
// Writes the package `out`, replacing what is there. Where no memory file is known for the model,
// an untrained one is made, which takes a moment; if that fails, the package goes again.
MadeModel make_model(rpt_env* env, const Settings& settings, const std::string& source,
                     const std::string& out);
// What to tell of a model whose memory is untrained.
inline constexpr const char* kUntrainedMemory =
    "untrained memory: it helps less than one of rpt-lab memory fit (docs/training.md)";
// "NAME.safetensors" in the user's folder of models, which is made if it is not there.
std::string place_of_user_model(const std::string& name);

}  // namespace rpt::cli
