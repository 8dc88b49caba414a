// A model from a file, for commands that read with one.
#pragma once

#include <memory>
#include <string>

#include "base/sha256.h"
#include "core/model/rpt_model.h"

namespace rpt::lab {

struct LoadedModel {
    std::unique_ptr<model::RptModel> model;
    Digest tokenizer{};
    Digest fingerprint{};  // of config and weights
};

// A package, or a checkpoint as training writes it.
LoadedModel load_model_file(const std::string& path, at::Device device);

// "cpu" or "cuda". Throws kArgument, kDevice.
at::Device choose_device(const std::string& name);

}  // namespace rpt::lab
