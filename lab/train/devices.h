// Where a command computes.
#pragma once

#include <string>

#include <c10/core/Device.h>

namespace rpt::train {

// "cpu" or "cuda". Throws kArgument, kDevice.
at::Device choose_device(const std::string& name);

}  // namespace rpt::train
