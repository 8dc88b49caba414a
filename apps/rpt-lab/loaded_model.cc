#include "apps/rpt-lab/loaded_model.h"

#include <ATen/Context.h>

#include "apps/rpt-lab/text_files.h"
#include "base/error.h"
#include "core/train/checkpoint.h"
#include "core/weights/package.h"

namespace rpt::lab {

LoadedModel load_model_file(const std::string& path, at::Device device) {
    const auto package = weights::Package::open(path);
    if (package->metadata().contains("kind")) {
        auto checkpoint = train::load_checkpoint_model(path, device);
        return {std::move(checkpoint.model), checkpoint.tokenizer, package->fingerprint()};
    }
    const auto tokenizer = text::Tokenizer::from_json(package->tokenizer_json());
    return {model::load_model(*package, device), tokenizer_digest(*tokenizer),
            package->fingerprint()};
}

at::Device choose_device(const std::string& name) {
    if (name != "cpu" && name != "cuda")
        throw Error(Status::kArgument, "rpt", "device must be cpu or cuda");
    if (name == "cuda" && !at::hasCUDA())
        throw Error(Status::kDevice, "torch", "no cuda device can be used; run with --device cpu");
    return at::Device(name);
}

}  // namespace rpt::lab
