#include "lab/train/adamw.h"

#include <ATen/core/grad_mode.h>

#include <cmath>

namespace rpt::train {

// What the fused kernel takes, for the parameters of one group.
struct AdamW::Lists {
    std::vector<at::Tensor> parameters, gradients, means, squares, steps;
};

AdamW::AdamW(const std::vector<std::pair<std::string, at::Tensor>>& parameters,
             const TrainOptions& options)
    : options_(options) {
    embedding_ = parameters.size();
    for (const auto& [name, parameter] : parameters) {
        if (name == "embedding") embedding_ = parameters_.size();
        parameters_.push_back(parameter);
        const at::Tensor plain = parameter.detach();
        moments_.push_back(
            {at::zeros_like(plain), at::zeros_like(plain), at::zeros({}, plain.options())});
    }
}

void AdamW::clear_gradients() {
    for (at::Tensor& parameter : parameters_) parameter.mutable_grad() = at::Tensor();
}

void AdamW::add_gradients(const std::vector<at::Tensor>& gradients) {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters_.size(); ++i) {
        at::Tensor& sum = parameters_[i].mutable_grad();
        if (!gradients[i].defined()) continue;
        if (sum.defined()) {
            sum.add_(gradients[i]);
        } else {
            sum = gradients[i].clone(at::MemoryFormat::Contiguous);  // it may be a view
        }
    }
}

double AdamW::step(double lr) {
    const at::NoGradGuard no_grad;
    Lists decayed, plain, embedding;
    std::vector<at::Tensor> gradients;
    for (size_t i = 0; i < parameters_.size(); ++i) {
        const at::Tensor gradient = parameters_[i].grad();
        if (!gradient.defined()) continue;
        gradients.push_back(gradient);
        Lists& lists = i == embedding_ ? embedding : parameters_[i].dim() >= 2 ? decayed : plain;
        lists.parameters.push_back(parameters_[i]);
        lists.gradients.push_back(gradient);
        lists.means.push_back(moments_[i].mean);
        lists.squares.push_back(moments_[i].square);
        lists.steps.push_back(moments_[i].steps);
    }
    if (gradients.empty()) return 0.0;
    const double norm = at::stack(at::_foreach_norm(gradients, 2)).norm().item<double>();
    if (!std::isfinite(norm)) return norm;
    if (options_.clip > 0 && norm > options_.clip)
        at::_foreach_mul_(gradients, options_.clip / norm);
    for (Lists* lists : {&decayed, &plain, &embedding}) {
        if (lists->parameters.empty()) continue;
        at::_foreach_add_(lists->steps, 1);
        // the kernel multiplies the decay by the rate; a longer stride shall not pull to zero
        // sooner
        const double scale = lists == &embedding ? options_.embedding_lr_scale : 1.0;
        const double decay = lists == &plain ? 0.0 : options_.weight_decay / scale;
        at::_fused_adamw_(lists->parameters, lists->gradients, lists->means, lists->squares, {},
                          lists->steps, lr * scale, options_.beta1, options_.beta2, decay,
                          options_.eps,
                          /*amsgrad=*/false, /*maximize=*/false);
    }
    return norm;
}

}  // namespace rpt::train
