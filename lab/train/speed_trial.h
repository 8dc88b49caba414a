// Training speed of several configurations side by side on one machine: their steps take turns, so
// that whatever else slows the machine slows all of them.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <vector>

#include "lab/train/train_config.h"

namespace rpt::train {

struct SpeedRow {
    std::string name;
    int64_t parameters = 0;
    double tokens_per_second = 0;  // of the step of median length
    double gemm_share = 0;         // of what the machine does in plain products of the row's shapes
    double time_ratio = 0;         // seconds a token over those of the first row
    std::vector<double> seconds;   // of every timed step
};

struct SpeedTrial {
    std::string name;
    TrainConfig config;
};

// `warmup` steps of each row are not timed; dense first steps (`gca_dense_fraction`) are left out.
// Batches are prepared before the first step, and nothing else runs beside it. `stepped` is told
// the number of rounds done.
std::vector<SpeedRow> measure_speed(const std::vector<SpeedTrial>& trials,
                                    const std::string& data_dir, int64_t steps, int64_t warmup,
                                    at::Device device, const std::function<void(int64_t)>& stepped);

// The middle of the sorted values, the mean of both middles for an even number; at least one value.
double median(std::vector<double> values);

}  // namespace rpt::train
