#include "lab/network/gated_scan.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace rpt::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double kLeastRoot = 1e-3;  // of 2 sqrt(x) in the slope of sqrt(x)

// One document: rows of r channels, one after the other.
void scan_rows(const float* a, const float* x, float* h, int64_t rows, int64_t r, bool reverse) {
    for (int64_t i = 0; i < rows; ++i) {
        const int64_t t = reverse ? rows - 1 - i : i;
        const float* x_t = x + t * r;
        float* h_t = h + t * r;
        if (i == 0) {
            std::copy(x_t, x_t + r, h_t);
            continue;
        }
        const float* before = reverse ? h_t + r : h_t - r;
        const float* a_t = reverse ? a + (t + 1) * r : a + t * r;
        for (int64_t c = 0; c < r; ++c) h_t[c] = a_t[c] * before[c] + x_t[c];
    }
}

// x[t] at t - step (or t + step), zeros where that is outside.
at::Tensor shifted(const at::Tensor& x, int64_t step) {
    return at::constant_pad_nd(x.narrow(1, 0, x.size(1) - step), {0, 0, step, 0});
}

class GatedScan : public torch::autograd::Function<GatedScan> {
  public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& log_a,
                              const at::Tensor& input) {
        const at::Tensor scale = (log_a * 2).expm1_().neg_().sqrt_();
        scale.narrow(1, 0, 1).fill_(1.0);
        const at::Tensor a = log_a.exp();
        a.narrow(1, 0, 1).zero_();
        const at::Tensor h = scan(a, scale * input, false);
        context->save_for_backward({a, scale, input, h});
        return h;
    }

    static variable_list backward(AutogradContext* context, variable_list upstream) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &a = saved[0], &scale = saved[1], &input = saved[2], &h = saved[3];
        const at::Tensor g = scan(a, upstream[0].to(at::kFloat).contiguous(), true);
        // d scale / d log_a = -a^2 / scale; a is 0 where a document starts, and all of this with it
        const at::Tensor slope = a.mul(-2).div_((scale * 2).clamp_min_(kLeastRoot));
        const at::Tensor d_log_a = slope.mul_(input).add_(shifted(h, 1)).mul_(a).mul_(g);
        return {d_log_a, g * scale};
    }
};

}  // namespace

at::Tensor scan(const at::Tensor& a, const at::Tensor& x, bool reverse) {
    if (!a.is_cpu()) return scan_by_doubling(a, x, reverse);
    const int64_t length = x.size(1), r = x.size(2);
    at::Tensor h = at::empty_like(x);
    const float *from_a = a.const_data_ptr<float>(), *from_x = x.const_data_ptr<float>();
    float* to = h.mutable_data_ptr<float>();
    at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) {
            const int64_t at = b * length * r;
            scan_rows(from_a + at, from_x + at, to + at, length, r, reverse);
        }
    });
    return h;
}

at::Tensor scan_by_doubling(const at::Tensor& a, const at::Tensor& x, bool reverse) {
    if (reverse) {
        // a of the row after, then time turned around
        const at::Tensor after = at::constant_pad_nd(a.narrow(1, 1, a.size(1) - 1), {0, 0, 0, 1});
        return scan_by_doubling(after.flip({1}), x.flip({1}), false).flip({1});
    }
    at::Tensor h = x, decay = a;
    for (int64_t step = 1; step < x.size(1); step *= 2) {
        h = at::addcmul(h, decay, shifted(h, step));
        decay = decay * shifted(decay, step);
    }
    return h;
}

at::Tensor gated_scan(const at::Tensor& log_a, const at::Tensor& input) {
    return GatedScan::apply(log_a.contiguous(), input.contiguous());
}

}  // namespace rpt::model
