#include "lab/train/speed_trial.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "lab/train/batch_pipeline.h"
#include "lab/train/throughput.h"
#include "lab/train/trainer.h"
#include "lab/train/training_data.h"

namespace rpt::train {
namespace {

struct Runner {
    std::unique_ptr<model::RptModel> model;
    std::unique_ptr<Trainer> trainer;
    std::vector<Batch> batches;
};

Runner make_runner(TrainConfig config, const std::string& data_dir, int64_t steps,
                   at::Device device) {
    // A few steps stand for the run: those in which chunks read the whole pool come first, are few
    // and take many times as long.
    config.train.gca_dense_fraction = 0;
    Runner runner;
    const TrainingData data = open_training_data(config, data_dir);
    {
        BatchPipeline pipeline(config, data.vocabulary, training_source(config, data), 0,
                               open_training_targets(config, data_dir, data.vocabulary));
        for (int64_t i = 0; i < steps; ++i) runner.batches.push_back(pipeline.next());
    }
    runner.model = std::make_unique<model::RptModel>(config.model, config.train.seed, device);
    runner.trainer = std::make_unique<Trainer>(config, *runner.model, device);
    return runner;
}

}  // namespace

double median(std::vector<double> values) {
    RPT_CHECK(!values.empty());
    std::sort(values.begin(), values.end());
    const size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::vector<SpeedRow> measure_speed(const std::vector<SpeedTrial>& trials,
                                    const std::string& data_dir, int64_t steps, int64_t warmup,
                                    at::Device device,
                                    const std::function<void(int64_t)>& stepped) {
    if (trials.empty() || steps < 1 || warmup < 0) {
        throw Error(Status::kArgument, "rpt", "a trial of speed needs a row and a step");
    }
    std::vector<Runner> runners;
    std::vector<SpeedRow> rows;
    for (const SpeedTrial& trial : trials) {
        runners.push_back(make_runner(trial.config, data_dir, warmup + steps, device));
        SpeedRow row;
        row.name = trial.name;
        for (const auto& [name, parameter] : runners.back().model->parameters())
            row.parameters += parameter.numel();
        rows.push_back(std::move(row));
    }
    for (int64_t round = 0; round < warmup + steps; ++round) {
        for (size_t r = 0; r < runners.size(); ++r) {
            const StepReport report =
                runners[r].trainer->step(runners[r].batches[round], /*diagnose=*/false);
            if (round >= warmup) rows[r].seconds.push_back(report.total);
        }
        if (stepped) stepped(round + 1);
    }
    const auto seconds_a_token = [&](size_t r) {
        const TrainOptions& t = trials[r].config.train;
        return median(rows[r].seconds) / static_cast<double>(t.batch_documents * t.length);
    };
    for (size_t r = 0; r < rows.size(); ++r) {
        const TrainConfig& config = trials[r].config;
        const TrainOptions& t = config.train;
        const double products =
            gemm_flops_per_second(config.model, t.documents_a_pass() * t.length, device,
                                  t.precision == Precision::kBf16 ? at::kBFloat16 : at::kFloat);
        rows[r].tokens_per_second = 1.0 / seconds_a_token(r);
        rows[r].gemm_share = rows[r].tokens_per_second * 3 *
                             forward_flops_per_token(config.model, t.length) / products;
        rows[r].time_ratio = seconds_a_token(r) / seconds_a_token(0);
    }
    return rows;
}

}  // namespace rpt::train
