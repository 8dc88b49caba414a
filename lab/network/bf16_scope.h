// Matrix products in bf16 for a while.
#pragma once

#include <ATen/ATen.h>

namespace rpt::model {

// Whether this CPU has instructions for them.
bool has_bf16_products();

// bf16 products inside, fp32 parameters and sums; nothing unless `on`. LibTorch keeps casts of
// parameters for all threads together, and forgets them at the end of any scope: with `alone` false
// they are not kept, so that what a thread computes does not depend on the others.
class Bf16Scope {
  public:
    Bf16Scope(at::Device device, bool on, bool alone = true);
    ~Bf16Scope();
    Bf16Scope(const Bf16Scope&) = delete;
    Bf16Scope& operator=(const Bf16Scope&) = delete;

  private:
    at::DeviceType type_;
    bool on_;
    bool was_ = false, kept_ = true;
};

}  // namespace rpt::model
