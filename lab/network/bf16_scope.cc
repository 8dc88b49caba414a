#include "lab/network/bf16_scope.h"

#include <ATen/autocast_mode.h>

namespace rpt::model {

bool has_bf16_products() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

Bf16Scope::Bf16Scope(at::Device device, bool on, bool alone) : type_(device.type()), on_(on) {
    if (!on_) return;
    was_ = at::autocast::is_autocast_enabled(type_);
    kept_ = at::autocast::is_autocast_cache_enabled();
    at::autocast::set_autocast_cache_enabled(alone);
    at::autocast::set_autocast_enabled(type_, true);
    at::autocast::set_autocast_dtype(type_, at::kBFloat16);
}

Bf16Scope::~Bf16Scope() {
    if (!on_) return;
    at::autocast::clear_cache();
    at::autocast::set_autocast_cache_enabled(kept_);
    at::autocast::set_autocast_enabled(type_, was_);
}

}  // namespace rpt::model
