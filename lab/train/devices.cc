#include "lab/train/devices.h"

#include <ATen/Context.h>

#include "base/error.h"

namespace rpt::train {

at::Device choose_device(const std::string& name) {
    if (name != "cpu" && name != "cuda")
        throw Error(Status::kArgument, "rpt", "device must be cpu or cuda");
    if (name == "cuda" && !at::hasCUDA())
        throw Error(Status::kDevice, "torch", "no cuda device can be used; run with --device cpu");
    return at::Device(name);
}

}  // namespace rpt::train
