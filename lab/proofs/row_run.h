// One row of the paper on one synthetic task: its configuration, its training, its figures.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lab/proofs/value_loss.h"
#include "lab/train/trainer.h"

namespace rpt::proofs {

struct RunOptions {
    std::string configs = "configs";  // folder that holds rows/ and tiers/
    uint64_t seed = 1;
    int64_t steps = 0;                   // 0: as the tier says
    std::vector<std::string> overrides;  // as those of `rpt-lab train --set`
    const std::atomic<bool>* stop = nullptr;
    // Called after training steps, now and then.
    std::function<void(const std::string& row, const train::StepReport&, int64_t steps)> stepped;
};

// Names of the rows that have a file, in alphabetical order.
std::vector<std::string> list_rows(const RunOptions& options);

// `row` of configs/rows at the sizes of configs/tiers/proof.json, with the task's vocabulary.
train::TrainConfig row_config(const Task& task, const std::string& row, const RunOptions& options);

struct RowRun {
    std::string row;
    train::TrainConfig config;
    std::unique_ptr<model::RptModel> model;
    Measured measured;
    int64_t parameters = 0;
    int64_t tokens = 0;
    double seconds = 0;  // of training
};

// Throws kCancelled when `options.stop` was set.
RowRun run_row(const Task& task, const std::string& row, const RunOptions& options);

}  // namespace rpt::proofs
