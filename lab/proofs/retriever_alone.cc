#include "lab/proofs/retriever_alone.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/error.h"
#include "lab/network/model_weights.h"
#include "lab/network/retriever.h"
#include "lab/proofs/own_neighbours.h"
#include "lab/proofs/proof_samples.h"
#include "lab/train/lambda_rank.h"
#include "lab/train/schedules.h"

namespace rpt::proofs {
namespace {

constexpr uint64_t kFirstMeasured = 1ULL << 40;  // as in value_loss.cc: never trained on
constexpr int64_t kTop = 2;

at::Tensor rows_of(const std::vector<train::Sample>& samples) {
    std::vector<at::Tensor> rows;
    for (const train::Sample& sample : samples) rows.push_back(at::tensor(sample.inputs));
    return at::stack(rows);
}

// Keys and queries carry gradient to the retriever's weights, the states none.
at::Tensor scores_of(const model::RptModel& model, const at::Tensor& tokens) {
    model::LowerOutput low;
    {
        const at::NoGradGuard no_grad;
        low.states = model.lower(tokens).states;
    }
    const auto [keys, queries] =
        model::keys_and_queries(model.config(), *model.weights().retriever, low.states);
    low.keys = keys;
    low.queries = queries;
    return model.retrieval_scores(low);
}

struct Recall {
    double found = 0, chance = 0;
};

Recall measure_recall(const Task& task, const model::RptModel& model, int64_t documents,
                      int64_t length, uint64_t seed) {
    const at::NoGradGuard no_grad;
    const model::ModelConfig& c = model.config();
    double found = 0, chance = 0, questions = 0;
    for (int64_t n = 0; n < documents; ++n) {
        const Document d = task.make(c, length, seed, kFirstMeasured + static_cast<uint64_t>(n));
        const std::vector<int64_t> ids(d.inputs.begin(), d.inputs.end() - 1);
        const auto rankings = own_rankings(model, model.lower(at::tensor(ids).unsqueeze(0)), kTop);
        for (size_t i = 0; i < d.gold.size(); ++i) {
            if (d.gold[i] < 0) continue;
            const auto& own = rankings[0][i];
            found += std::find(own.begin(), own.end(), d.gold[i]) != own.end();
            chance += static_cast<double>(kTop) /
                      static_cast<double>(model::last_retrievable(c, static_cast<int64_t>(i)) + 1);
            ++questions;
        }
    }
    return {found / std::max(1.0, questions), chance / std::max(1.0, questions)};
}

}  // namespace

RetrieverRun train_retriever_alone(const Task& task, const std::string& row, int64_t steps,
                                   int64_t measured_documents, const RunOptions& options) {
    const train::TrainConfig config = row_config(task, row, options);
    if (!config.model.ranks())
        throw Error(Status::kArgument, "rpt", "row " + row + " trains no retriever by ranking");
    const train::TrainOptions& t = config.train;
    const model::RptModel model(config.model, t.seed);
    std::vector<std::pair<std::string, at::Tensor>> own;
    for (const auto& [name, parameter] : model.parameters()) {
        if (name.rfind("memory.key", 0) == 0 || name.rfind("memory.query", 0) == 0)
            own.emplace_back(name, parameter);
    }
    train::AdamW optimizer(own, t);
    const int64_t l = t.length / config.model.chunk;
    at::Tensor pool = at::empty({l}, at::kLong);
    for (int64_t i = 0; i < l; ++i)
        pool.data_ptr<int64_t>()[i] =
            std::clamp<int64_t>(model::last_retrievable(config.model, i) + 1, 0, l);

    RetrieverRun run;
    run.steps = steps;
    const Recall before = measure_recall(task, model, measured_documents, t.length, options.seed);
    run.first_recall = before.found;
    run.chance = before.chance;
    for (int64_t step = 0; step < steps; ++step) {
        if (options.stop != nullptr && options.stop->load())
            throw Error(Status::kCancelled, "rpt", "stopped in training of the retriever");
        const train::Batch batch = make_proof_batch(task, config, options.seed, step);
        std::vector<at::Tensor> chunks, targets;
        for (const train::Sample& sample : batch.samples) {
            chunks.push_back(at::tensor(sample.candidates.chunk, at::kInt)
                                 .to(at::kLong)
                                 .view({l, sample.candidates.width}));
            targets.push_back(
                at::tensor(sample.candidates.score, at::kFloat).view({l, sample.candidates.width}));
        }
        const double tau =
            train::linear_ramp(step, t.tau_start, t.tau_max,
                               static_cast<int64_t>(t.tau_fraction * static_cast<double>(steps)));
        const at::Tensor aux =
            train::lambda_rank_sum(scores_of(model, rows_of(batch.samples)), pool,
                                   at::stack(chunks), at::stack(targets), tau, t.lambda) /
            static_cast<double>(std::max<int64_t>(1, batch.pairs));
        optimizer.clear_gradients();
        aux.backward();
        optimizer.step(train::learning_rate(
            step + 1, t.lr, t.lr * t.min_lr_fraction,
            static_cast<int64_t>(t.warmup_fraction * static_cast<double>(steps)), steps));
    }
    run.last_recall = measure_recall(task, model, measured_documents, t.length, options.seed).found;
    return run;
}

}  // namespace rpt::proofs
