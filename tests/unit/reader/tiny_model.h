// A random model of a few kilobytes on disk.
#pragma once

#include <string>

#include "lab/network/rpt_model.h"

namespace rpt::reader {

// With the vocabulary of fakes::small_tokenizer().
model::ModelConfig tiny_model_config();
void save_tiny_model(const model::RptModel& model, const std::string& path);

}  // namespace rpt::reader
