#include "lab/network/token_loss.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "lab/network/product_type.h"

namespace rpt::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Probabilities below e^-80 lose digits in fp32 and, a little further, vanish.
constexpr double kLongestLoss = 80.0;

struct Slices {
    at::Tensor hidden, output, targets;  // hidden and output in the type of the products
    double scale;
    int64_t rows;

    // f(begin, logits [r, V] to be used before the next call, hidden slice [r, d], clamped targets
    // [r, 1], ignored bool [r, 1])
    template <typename F>
    void each(F f) const {
        const at::Tensor columns = output.t();
        const int64_t most = std::min(rows, hidden.size(0));
        const at::Tensor buffer = at::empty({most, output.size(0)}, hidden.options());
        for (int64_t begin = 0; begin < hidden.size(0); begin += rows) {
            const int64_t n = std::min(rows, hidden.size(0) - begin);
            const at::Tensor h = hidden.narrow(0, begin, n) * scale;
            const at::Tensor target = targets.narrow(0, begin, n).unsqueeze(1);
            at::Tensor logits = buffer.narrow(0, 0, n);
            at::mm_out(logits, h, columns);
            f(begin, logits, h, target.clamp_min(0), target.lt(0));
        }
    }
};

at::Tensor log_probability_loss(const Slices& s) {
    at::Tensor nll = at::empty({s.hidden.size(0)}, s.hidden.options().dtype(at::kFloat));
    s.each([&](int64_t begin, const at::Tensor& logits, const at::Tensor&, const at::Tensor& target,
               const at::Tensor& ignored) {
        const at::Tensor log_p = at::log_softmax(logits, 1, at::kFloat);
        nll.narrow(0, begin, log_p.size(0))
            .copy_(log_p.gather(1, target).neg_().masked_fill_(ignored, 0.0).squeeze(1));
    });
    return nll;
}

// Gradients that belong to an upstream gradient of one for every row: they are right up to a factor
// for any mean or sum over rows, which is what losses are; anything else is computed again, row by
// row. What scales a row of slopes [r, V] scales the rows of d numbers before and behind it
// instead.
void add_gradients(const Slices& s, const at::Tensor& upstream, at::Tensor& d_hidden,
                   at::Tensor& d_output, at::Tensor* nll) {
    at::Tensor buffer = at::empty({std::min(s.rows, s.hidden.size(0)), s.output.size(0)},
                                  s.hidden.options().dtype(at::kFloat));
    s.each([&](int64_t begin, const at::Tensor& logits, const at::Tensor& h,
               const at::Tensor& target, const at::Tensor& ignored) {
        const int64_t n = logits.size(0);
        at::Tensor slope = buffer.narrow(0, 0, n);
        at::softmax_out(slope, logits, 1, at::kFloat);
        if (nll != nullptr) {
            nll->narrow(0, begin, n)
                .copy_(slope.gather(1, target).log_().neg_().masked_fill_(ignored, 0.0).squeeze(1));
        }
        slope.scatter_add_(1, target, at::full_like(target, -1.0, slope.options()));
        const at::Tensor weight = (upstream.defined() ? upstream.narrow(0, begin, n).unsqueeze(1)
                                                      : at::ones_like(ignored, slope.options()))
                                      .masked_fill(ignored, 0.0);
        const at::Tensor g = slope.to(h.scalar_type());
        d_hidden.narrow(0, begin, n).copy_(at::mm(g, s.output).mul_(weight * s.scale));
        const at::Tensor weighted = (h * weight).to(h.scalar_type());
        if (d_output.scalar_type() == g.scalar_type()) {
            d_output.addmm_(g.t(), weighted);
        } else {
            d_output.add_(at::mm(g.t(), weighted));
        }
    });
}

class TokenLoss : public torch::autograd::Function<TokenLoss> {
  public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden,
                              const at::Tensor& output, const at::Tensor& targets, double scale,
                              int64_t rows, at::ScalarType type) {
        const Slices s{hidden.detach().to(type), output.detach().to(type), targets, scale, rows};
        at::Tensor nll = at::empty({hidden.size(0)}, hidden.options().dtype(at::kFloat));
        at::Tensor d_hidden = at::empty_like(hidden);
        at::Tensor d_output = at::zeros_like(output);
        add_gradients(s, {}, d_hidden, d_output, &nll);
        if (nll.numel() > 0 && nll.max().item<float>() > kLongestLoss)
            nll = log_probability_loss(s);
        context->save_for_backward({hidden, output, targets, d_hidden, d_output});
        context->saved_data["scale"] = scale;
        context->saved_data["rows"] = rows;
        context->saved_data["type"] = static_cast<int64_t>(type);
        return nll;
    }

    static variable_list backward(AutogradContext* context, variable_list upstream) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor& targets = saved[2];
        at::Tensor d_hidden = saved[3], d_output = saved[4];
        const at::Tensor g = upstream[0].to(at::kFloat);
        const at::Tensor used = g.masked_select(targets.ge(0));
        if (used.numel() == 0 || used.eq(used.select(0, 0)).all().item<bool>()) {
            const at::Tensor factor =
                used.numel() == 0 ? at::zeros({}, g.options()) : used.select(0, 0);
            d_hidden = d_hidden * factor;
            d_output = d_output * factor;
        } else {
            const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
            const Slices s{saved[0].detach().to(type), saved[1].detach().to(type), targets,
                           context->saved_data["scale"].toDouble(),
                           context->saved_data["rows"].toInt()};
            d_hidden = at::empty_like(saved[0]);
            d_output = at::zeros_like(saved[1]);
            const c10::NoGradGuard no_grad;
            add_gradients(s, g, d_hidden, d_output, nullptr);
        }
        return {d_hidden, d_output, {}, {}, {}, {}};
    }
};

}  // namespace

at::Tensor token_loss(const at::Tensor& hidden, const at::Tensor& output, const at::Tensor& targets,
                      double scale, int64_t rows) {
    const at::ScalarType type = product_type(hidden);
    if (c10::GradMode::is_enabled() && (hidden.requires_grad() || output.requires_grad())) {
        return TokenLoss::apply(hidden, output, targets, scale, rows, type);
    }
    return log_probability_loss({hidden.to(type), output.to(type), targets, scale, rows});
}

at::Tensor token_loss_slow(const at::Tensor& hidden, const at::Tensor& output,
                           const at::Tensor& targets, double scale) {
    const at::Tensor log_p = at::log_softmax(at::mm(hidden, output.t()) * scale, 1);
    const at::Tensor nll = log_p.gather(1, targets.clamp_min(0).unsqueeze(1)).neg().squeeze(1);
    return nll.masked_fill(targets.lt(0), 0.0);
}

}  // namespace rpt::model
