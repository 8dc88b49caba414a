#include "core/model/float_products.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>

namespace rpt::model {
namespace {

void allow_rounding(bool allowed) {
    at::globalContext().setFloat32Precision(
        at::Float32Backend::MKLDNN, at::Float32Op::MATMUL,
        allowed ? at::Float32Precision::BF16 : at::Float32Precision::IEEE);
}

double best_seconds(const at::Tensor& a, const at::Tensor& b) {
    double best = 1e9;
    for (int i = 0; i < 4; ++i) {
        const auto began = std::chrono::steady_clock::now();
        at::mm(a, b);
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    }
    return best;
}

bool try_fast_products() {
    const c10::NoGradGuard no_grad;
    at::Generator generator = at::detail::createCPUGenerator(1);
    const at::Tensor a = at::empty({512, 256}, at::kFloat).normal_(0, 1, generator);
    const at::Tensor b = at::empty({256, 512}, at::kFloat).normal_(0, 1, generator);
    const at::Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
    const double plain = best_seconds(a, b);
    allow_rounding(true);
    const double fast = best_seconds(a, b);
    const double error = (at::mm(a, b).to(at::kDouble) - exact).abs().max().item<double>() /
                         exact.abs().max().item<double>();
    const bool keep = error < 2e-6 && fast < 0.9 * plain;
    if (!keep) allow_rounding(false);
    return keep;
}

}  // namespace

bool use_fast_float_products() {
    static const bool on = try_fast_products();
    return on;
}

}  // namespace rpt::model
