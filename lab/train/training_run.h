// A training run in a directory: data, steps, log, checkpoints, validation.
#pragma once

#include <ATen/ATen.h>

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "lab/train/trainer.h"

namespace rpt::train {

struct RunPaths {
    std::string data_dir;  // shards are named relative to it
    std::string out_dir;   // gets config.json, log.jsonl, checkpoint.safetensors
    std::string start;     // a checkpoint to take the weights from, without its optimiser; empty:
                           // fresh weights
    std::vector<std::string> fresh;  // with `start`: names of tensors, or how they begin, that
                                     // begin anew instead
};

// What is said while it runs; any may be empty. Called on the training thread.
struct RunHooks {
    struct Start {
        int64_t parameters, first_step;
        double flops_per_token;  // forward and backward
        double gemm_flops;       // of this machine, a second
    };
    std::function<void(const Start&)> started;
    std::function<void(const StepReport&, double tokens_per_second, double gemm_share)> stepped;
    std::function<void(const ValidationReport&, int64_t step)> validated;
    const std::atomic<bool>* stop = nullptr;  // set: save and return false
};

// Trains from the beginning, or from the directory's checkpoint with `resume`. True when all steps
// are done, false when stopped; both leave a checkpoint. Throws kExists if the directory holds a
// run and `resume` is not set.
bool run_training(const TrainConfig& config, const RunPaths& paths, bool resume, at::Device device,
                  const RunHooks& hooks);

}  // namespace rpt::train
