#include "lab/proofs/row_run.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "lab/proofs/proof_samples.h"

namespace rpt::proofs {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMeasuredDocuments = 32;
constexpr int64_t kShownEvery = 20;  // steps

}  // namespace

std::vector<std::string> list_rows(const RunOptions& options) {
    const fs::path folder = fs::path(options.configs) / "rows";
    std::error_code failed;
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder, failed)) {
        if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
    }
    if (failed) {
        throw Error(Status::kIo, "os",
                    "cannot list \"" + folder.string() + "\"; name the folder with --configs");
    }
    std::sort(names.begin(), names.end());
    return names;
}

train::TrainConfig row_config(const Task& task, const std::string& row, const RunOptions& options) {
    const fs::path folder(options.configs);
    std::vector<std::string> overrides = {"model.vocab=" + std::to_string(task.vocab),
                                          "train.seed=" + std::to_string(options.seed),
                                          // a language model is not asked here: gold is known
                                          "train.target_cache=known"};
    const int64_t steps = options.steps > 0 ? options.steps : task.steps;
    if (steps > 0) overrides.push_back("train.steps=" + std::to_string(steps));
    overrides.insert(overrides.end(), options.overrides.begin(), options.overrides.end());
    return train::TrainConfig::from_file((folder / "rows" / (row + ".json")).string(),
                                         (folder / "tiers" / "proof.json").string(), overrides);
}

RowRun run_row(const Task& task, const std::string& row, const RunOptions& options) {
    RowRun run;
    run.row = row;
    run.config = row_config(task, row, options);
    const train::TrainConfig& config = run.config;
    run.model = std::make_unique<model::RptModel>(config.model, config.train.seed);
    for (const auto& [name, parameter] : run.model->parameters())
        run.parameters += parameter.numel();
    train::Trainer trainer(config, *run.model, at::kCPU);
    const auto began = std::chrono::steady_clock::now();
    for (int64_t step = 0; step < config.train.steps; ++step) {
        if (options.stop != nullptr && options.stop->load())
            throw Error(Status::kCancelled, "rpt", "stopped in training of row " + row);
        const train::Batch batch = make_proof_batch(task, config, options.seed, step);
        const bool shown = (step + 1) % kShownEvery == 0 || step + 1 == config.train.steps;
        const train::StepReport report = trainer.step(batch, shown && options.stepped != nullptr);
        run.tokens += report.tokens;
        if (shown && options.stepped) options.stepped(row, report, config.train.steps);
    }
    run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    run.measured = measure(task, *run.model, kMeasuredDocuments, config.train.length, options.seed);
    return run;
}

}  // namespace rpt::proofs
