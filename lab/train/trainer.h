// One training step: lower half, choice of neighbours, upper half, the two losses, update (spec
// 2, 8.2).
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <span>

#include "lab/network/rpt_model.h"
#include "lab/train/adamw.h"
#include "lab/train/batch.h"

namespace rpt::train {

struct StepReport {
    int64_t step = 0;  // updates done, this one included
    double loss = 0;   // nats a token
    double aux = 0;    // ranking loss, mean over pairs
    double lr = 0, tau = 0, alpha = 0, p_own = 0;
    double gradient_norm = 0;
    double gate_mean = -1;  // -1: not measured in this step
    double null_mass = -1;
    double sink_mass = -1;  // weight on "no neighbour", where scores weigh
    double distinct = -1;   // different chunks among those that are read, a document
    int64_t tokens = 0;
    // Seconds of each part, of all passes together; `total` is the step's own time.
    double lower = 0, choice = 0, upper = 0, head = 0, backward = 0, update = 0, total = 0;

    void add(const StepReport& pass);  // what one pass of the step has measured
};

struct ValidationReport {
    double own = 0;   // nats a token with the model's own neighbours (or BM25 of the chunk, where
                      // they are given)
    double none = 0;  // without neighbours
    int64_t tokens = 0;
};

// One thread at a time; the model is borrowed and updated in place.
class Trainer {
  public:
    // Throws kUnsupported if bf16 is asked for and the machine has no such arithmetic, and for
    // several workers beside a device other than the CPU.
    Trainer(const TrainConfig& config, model::RptModel& model, at::Device device);

    // `diagnose`: also measure gate and null mass (one more pass over the attention scores). Throws
    // kState when the loss is not finite; the parameters are then as before the step.
    StepReport step(const Batch& batch, bool diagnose);
    // No gradient, no update.
    ValidationReport validate(std::span<const Sample> samples) const;

    int64_t steps_done() const { return step_; }
    void set_steps_done(int64_t step) { step_ = step; }
    AdamW& optimizer() { return optimizer_; }
    model::RptModel& model() { return model_; }
    const TrainConfig& config() const { return config_; }

  private:
    // Samples that go through the model together, and what comes of them.
    struct Pass {
        std::span<const Sample> samples;
        int64_t first = 0;  // the place of samples[0] in the batch
        bool diagnose = false;
        StepReport report;
        std::vector<at::Tensor> gradients;  // parallel to the optimiser's parameters
    };
    void run(Pass& pass, const Batch& batch) const;
    // The retriever's own weights alone: nothing above the lower half is computed.
    void rank_only(Pass& pass, const Batch& batch) const;
    // The pass's share of the ranking loss; undefined where there is nothing to rank.
    at::Tensor ranking_loss(const Pass& pass, const Batch& batch, const at::Tensor& scores) const;
    void differentiate(Pass& pass, const at::Tensor& loss) const;
    // As the model's, but under detach_aux and retriever_only no gradient leaves the retriever by
    // keys and queries, and under retriever_only none is kept of anything else.
    model::LowerOutput lower(const at::Tensor& inputs) const;
    // What the ranking loss sees.
    at::Tensor retrieval_scores(const model::LowerOutput& low) const;
    // Keys and queries of states that are a given.
    void make_keys_apart(model::LowerOutput& low) const;
    at::Tensor neighbours(std::span<const Sample> samples, const at::Tensor& scores,
                          double p_own) const;
    // The same with noise, for retrievers that the language model's loss trains: [B, l, K'].
    at::Tensor explore(std::span<const Sample> samples, int64_t first,
                       const model::LowerOutput& low) const;

    TrainConfig config_;
    model::RptModel& model_;
    at::Device device_;
    AdamW optimizer_;
    at::Tensor pool_;  // int64 [l]: chunk i may retrieve [0, pool[i])
    int64_t step_ = 0;
};

}  // namespace rpt::train
