#include "lab/train/gradients.h"

#include <torch/csrc/autograd/autograd.h>

namespace rpt::train {

std::vector<at::Tensor> gradients_of(const at::Tensor& loss,
                                     const std::vector<at::Tensor>& parameters) {
    return torch::autograd::grad({loss}, parameters, /*grad_outputs=*/{},
                                 /*retain_graph=*/std::nullopt, /*create_graph=*/false,
                                 /*allow_unused=*/true);
}

}  // namespace rpt::train
