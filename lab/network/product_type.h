// Autocast does not reach inside an autograd function: such functions follow it by hand.
#pragma once

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

namespace rpt::model {

// In which type products of `x` are to be made.
inline at::ScalarType product_type(const at::Tensor& x) {
    const at::DeviceType device = x.device().type();
    return at::autocast::is_autocast_enabled(device) ? at::autocast::get_autocast_dtype(device)
                                                     : x.scalar_type();
}

}  // namespace rpt::model
