#include "lab/network/float_products.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include <atomic>

namespace rpt::model {
namespace {

std::atomic<bool> is_on{false};

void allow_rounding(bool allowed) {
    at::globalContext().setFloat32Precision(
        at::Float32Backend::MKLDNN, at::Float32Op::MATMUL,
        allowed ? at::Float32Precision::BF16 : at::Float32Precision::IEEE);
}

// MKL's AVX-512 kernels are for its maker's CPUs; oneDNN's are for all. A rule, not a stopwatch:
// two runs on one machine must choose alike, or equal tokens would give chunks that differ in their
// last bits.
bool mkl_leaves_speed_behind() {
#if defined(__x86_64__) && defined(__GNUC__)
    return !__builtin_cpu_is("intel") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#else
    return false;
#endif
}

bool try_fast_products() {
    if (!mkl_leaves_speed_behind()) return false;
    const c10::NoGradGuard no_grad;
    at::Generator generator = at::detail::createCPUGenerator(1);
    const at::Tensor a = at::empty({512, 256}, at::kFloat).normal_(0, 1, generator);
    const at::Tensor b = at::empty({256, 512}, at::kFloat).normal_(0, 1, generator);
    const at::Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
    allow_rounding(true);
    const double error = (at::mm(a, b).to(at::kDouble) - exact).abs().max().item<double>() /
                         exact.abs().max().item<double>();
    const bool keep = error < 2e-6;
    if (!keep) allow_rounding(false);
    return keep;
}

}  // namespace

bool use_fast_float_products() {
    static const bool on = try_fast_products();
    is_on = on;
    return on;
}

bool fast_float_products_on() {
    return is_on;
}

}  // namespace rpt::model
