// AdamW (decoupled weight decay, on matrices only) with a clip of the global gradient norm.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <utility>
#include <vector>

#include "lab/train/train_config.h"

namespace rpt::train {

// One thread at a time.
class AdamW {
  public:
    // The tensors are the model's own; they are updated in place.
    AdamW(const std::vector<std::pair<std::string, at::Tensor>>& parameters,
          const TrainOptions& options);

    // One update from the parameters' gradients; those without one are left alone. Returns the norm
    // before the clip. A norm that is not finite changes nothing.
    double step(double lr);
    void clear_gradients();
    // Parallel to the parameters; undefined ones add nothing.
    void add_gradients(const std::vector<at::Tensor>& gradients);
    const std::vector<at::Tensor>& parameters() const { return parameters_; }

    struct Moments {
        at::Tensor mean;    // of the gradient
        at::Tensor square;  // of its square
        at::Tensor steps;   // fp32 scalar: updates so far
    };
    // Parallel to the parameters, for checkpoints.
    std::vector<Moments>& moments() { return moments_; }

  private:
    struct Lists;
    std::vector<at::Tensor> parameters_;
    std::vector<Moments> moments_;
    size_t embedding_ = 0;  // its place among the parameters; their number if there is none
    TrainOptions options_;
};

}  // namespace rpt::train
