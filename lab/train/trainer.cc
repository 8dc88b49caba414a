#include "lab/train/trainer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <string>

#include "base/error.h"
#include "lab/network/bf16_scope.h"
#include "lab/network/model_weights.h"
#include "lab/network/retriever.h"
#include "lab/train/exploration.h"
#include "lab/train/gradients.h"
#include "lab/train/lambda_rank.h"
#include "lab/train/neighbour_choice.h"
#include "lab/train/schedules.h"
#include "lab/train/simultaneously.h"

namespace rpt::train {
namespace {

using Clock = std::chrono::steady_clock;

double lap(Clock::time_point& since) {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - since).count();
    since = now;
    return seconds;
}

at::Tensor stack_rows(std::span<const Sample> samples, std::vector<int64_t> Sample::*field,
                      at::Device device) {
    const int64_t n = static_cast<int64_t>((samples[0].*field).size());
    at::Tensor rows = at::empty({static_cast<int64_t>(samples.size()), n}, at::kLong);
    for (size_t b = 0; b < samples.size(); ++b) {
        std::copy((samples[b].*field).begin(), (samples[b].*field).end(),
                  rows.data_ptr<int64_t>() + b * n);
    }
    return rows.to(device);
}

// Different chunks among the neighbours of each sample, a slot that is filled.
double distinct_share(const at::Tensor& chosen) {
    const at::Tensor plain = chosen.to(at::kCPU).flatten(1).contiguous();
    const int64_t* numbers = plain.const_data_ptr<int64_t>();
    size_t distinct = 0, slots = 0;
    for (int64_t b = 0; b < plain.size(0); ++b) {
        std::set<int64_t> seen;
        for (int64_t i = 0; i < plain.size(1); ++i) {
            const int64_t number = *numbers++;
            if (number < 0) continue;
            seen.insert(number);
            ++slots;
        }
        distinct += seen.size();
    }
    return static_cast<double>(distinct) / static_cast<double>(std::max<size_t>(1, slots));
}

}  // namespace

Trainer::Trainer(const TrainConfig& config, model::RptModel& model, at::Device device)
    : config_(config),
      model_(model),
      device_(device),
      optimizer_(model.parameters(), config.train) {
    if (config.train.precision == Precision::kBf16 && device.is_cpu() &&
        !model::has_bf16_products()) {
        throw Error(Status::kUnsupported, "rpt",
                    "train.precision bf16 needs a processor with AVX512-BF16; use fp32");
    }
    if (config.train.workers > 1 && !device.is_cpu()) {
        throw Error(Status::kUnsupported, "rpt",
                    "train.workers above 1 share out a processor's cores; on another device use 1 "
                    "and a larger train.micro_documents");
    }
    const int64_t l = config.train.length / config.model.chunk;
    pool_ = at::empty({l}, at::kLong);
    for (int64_t i = 0; i < l; ++i) {
        pool_.data_ptr<int64_t>()[i] =
            std::clamp<int64_t>(model::last_retrievable(config.model, i) + 1, 0, l);
    }
    pool_ = pool_.to(device);
}

at::Tensor Trainer::neighbours(std::span<const Sample> samples, const at::Tensor& scores,
                               double p_own) const {
    const int64_t l = config_.train.length / config_.model.chunk;
    const int64_t k = config_.model.neighbours;
    at::Tensor plain;  // scores on the CPU; the choice carries no gradient
    if (scores.defined()) plain = scores.detach().to(at::kCPU, at::kFloat).contiguous();
    at::Tensor chosen = at::empty({static_cast<int64_t>(samples.size()), l, k}, at::kLong);
    for (size_t b = 0; b < samples.size(); ++b) {
        std::span<const float> row;
        if (plain.defined())
            row = {plain.data_ptr<float>() + b * l * l, static_cast<size_t>(l * l)};
        const auto numbers = choose_neighbours(config_.model, samples[b], row, p_own);
        std::copy(numbers.begin(), numbers.end(), chosen.data_ptr<int64_t>() + b * l * k);
    }
    return chosen.to(device_);
}

at::Tensor Trainer::explore(std::span<const Sample> samples, int64_t first,
                            const model::LowerOutput& low) const {
    const at::NoGradGuard no_grad;
    const Exploration exploration = exploration_at(config_.train, step_);
    const int64_t l = pool_.size(0), batch = static_cast<int64_t>(samples.size());
    const int64_t documents = exploration.foreign ? batch : 1;
    model::LowerOutput plain;
    plain.keys = low.keys;
    plain.queries = low.queries;
    if (documents > 1) {  // all chunks of the pass as one document
        plain.keys = low.keys.flatten(0, 1).unsqueeze(0);
        plain.queries = low.queries.flatten(0, 1).unsqueeze(0);
    }
    const at::Tensor scores =
        model_.retrieval_scores(plain).to(at::kCPU).view({batch, l, documents, l});
    std::vector<std::vector<std::vector<int64_t>>> chosen;
    size_t widest = 1;
    for (int64_t b = 0; b < batch; ++b) {
        // a sample's own chunks first
        const at::Tensor row = scores[b].roll(documents > 1 ? -b : 0, 1).contiguous();
        chosen.push_back(
            explore_neighbours(config_, samples, static_cast<size_t>(b),
                               {row.const_data_ptr<float>(), static_cast<size_t>(row.numel())},
                               exploration, first + b));
        for (const auto& of_chunk : chosen.back()) widest = std::max(widest, of_chunk.size());
    }
    const int64_t k = static_cast<int64_t>(widest);
    at::Tensor indices = at::full({batch, l, k}, -1, at::kLong);
    int64_t* out = indices.data_ptr<int64_t>();
    for (const auto& of_sample : chosen) {
        for (const auto& of_chunk : of_sample) {
            std::copy(of_chunk.begin(), of_chunk.end(), out);
            out += k;
        }
    }
    return indices.to(device_);
}

void Trainer::make_keys_apart(model::LowerOutput& low) const {
    auto [keys, queries] =
        model::keys_and_queries(config_.model, *model_.weights().retriever, low.states.detach());
    low.keys = std::move(keys);
    low.queries = std::move(queries);
}

model::LowerOutput Trainer::lower(const at::Tensor& inputs) const {
    const TrainOptions& t = config_.train;
    const bool apart = config_.model.has_retriever() &&
                       (t.retriever_only || (t.detach_aux && !config_.model.scores_weigh()));
    if (!apart) return model_.lower(inputs);
    model::LowerOutput low;
    {
        const at::AutoGradMode as_trained(at::GradMode::is_enabled() && !t.retriever_only);
        low = model_.lower_states(inputs);
    }
    make_keys_apart(low);
    return low;
}

at::Tensor Trainer::retrieval_scores(const model::LowerOutput& low) const {
    // the text's loss reaches the trunk by keys and queries that weigh, the ranking loss must not
    if (!config_.model.scores_weigh() || !config_.train.detach_aux)
        return model_.retrieval_scores(low);
    model::LowerOutput cut;
    cut.states = low.states;
    make_keys_apart(cut);
    return model_.retrieval_scores(cut);
}

void Trainer::run(Pass& pass, const Batch& batch) const {
    const std::span<const Sample> samples = pass.samples;
    StepReport& report = pass.report;
    const model::ModelConfig& model = config_.model;
    const bool reads = model.retrieval != model::RetrievalKind::kNone && !model.cca_layers.empty();
    const bool ranks = model.ranks();
    auto since = Clock::now();
    at::Tensor loss;
    {
        const model::Bf16Scope bf16(device_, config_.train.precision == Precision::kBf16,
                                    config_.train.workers == 1);
        const at::Tensor inputs = stack_rows(samples, &Sample::inputs, device_);
        const at::Tensor targets = stack_rows(samples, &Sample::targets, device_);
        const model::LowerOutput low = lower(inputs);
        const at::Tensor scores = ranks ? retrieval_scores(low) : at::Tensor();
        report.lower += lap(since);
        const at::Tensor chosen = !reads ? at::Tensor()
                                  : model.scores_weigh()
                                      ? explore(samples, pass.first, low)
                                      : neighbours(samples, scores, report.p_own);
        if (pass.diagnose && reads) report.distinct = distinct_share(chosen);
        report.choice += lap(since);
        model::RptModel::Diagnostics seen;
        const at::Tensor hidden = model_.upper(low, chosen, pass.diagnose ? &seen : nullptr);
        report.upper += lap(since);
        const at::Tensor nll =
            model_.token_nll(hidden, targets).sum() / static_cast<double>(batch.n_targets);
        report.head += lap(since);
        report.loss += nll.detach().item<double>();
        loss = nll;
        if (const at::Tensor aux = ranks ? ranking_loss(pass, batch, scores) : at::Tensor();
            aux.defined()) {
            report.aux += aux.detach().item<double>();
            loss = loss + report.alpha * aux;
        }
        if (pass.diagnose && seen.gate_mean.defined())
            report.gate_mean = seen.gate_mean.item<double>();
        if (pass.diagnose && seen.null_mass.defined())
            report.null_mass = seen.null_mass.item<double>();
        if (pass.diagnose && seen.sink_mass.defined())
            report.sink_mass = seen.sink_mass.item<double>();
        report.choice += lap(since);
    }
    differentiate(pass, loss);
    report.backward += lap(since);
}

at::Tensor Trainer::ranking_loss(const Pass& pass, const Batch& batch,
                                 const at::Tensor& scores) const {
    if (config_.train.targets == TargetKind::kNone || batch.pairs == 0) return {};
    const auto samples = static_cast<int64_t>(pass.samples.size());
    at::Tensor candidate = at::empty({samples, pool_.size(0), config_.train.candidates}, at::kInt);
    at::Tensor target = at::empty(candidate.sizes(), at::kFloat);
    for (int64_t b = 0; b < samples; ++b) {
        const ChunkLists& lists = pass.samples[static_cast<size_t>(b)].candidates;
        std::copy(lists.chunk.begin(), lists.chunk.end(),
                  candidate.select(0, b).data_ptr<int32_t>());
        std::copy(lists.score.begin(), lists.score.end(), target.select(0, b).data_ptr<float>());
    }
    return lambda_rank_sum(scores, pool_, candidate.to(device_, at::kLong), target.to(device_),
                           pass.report.tau, config_.train.lambda) /
           static_cast<double>(batch.pairs);
}

void Trainer::rank_only(Pass& pass, const Batch& batch) const {
    auto since = Clock::now();
    at::Tensor loss;
    {
        const model::Bf16Scope bf16(device_, config_.train.precision == Precision::kBf16,
                                    config_.train.workers == 1);
        const model::LowerOutput low = lower(stack_rows(pass.samples, &Sample::inputs, device_));
        pass.report.lower += lap(since);
        loss = ranking_loss(pass, batch, model_.retrieval_scores(low));
        pass.report.choice += lap(since);
    }
    if (!loss.defined()) {
        pass.gradients.resize(optimizer_.parameters().size());
        return;
    }
    pass.report.loss = pass.report.aux = loss.detach().item<double>();
    differentiate(pass, loss);
    pass.report.backward += lap(since);
}

void Trainer::differentiate(Pass& pass, const at::Tensor& loss) const {
    if (!std::isfinite(loss.item<double>())) {
        throw Error(Status::kState, "rpt",
                    "training loss is not finite at step " + std::to_string(step_ + 1) +
                        "; resume from the last checkpoint with a lower train.lr");
    }
    pass.gradients = gradients_of(loss, optimizer_.parameters());
}

void StepReport::add(const StepReport& pass) {
    for (double StepReport::*sum :
         {&StepReport::loss, &StepReport::aux, &StepReport::lower, &StepReport::choice,
          &StepReport::upper, &StepReport::head, &StepReport::backward})
        this->*sum += pass.*sum;
    for (double StepReport::*seen : {&StepReport::gate_mean, &StepReport::null_mass,
                                     &StepReport::sink_mass, &StepReport::distinct}) {
        if (pass.*seen >= 0) this->*seen = pass.*seen;
    }
}

StepReport Trainer::step(const Batch& batch, bool diagnose) {
    RPT_CHECK(batch.step == step_);
    const TrainOptions& t = config_.train;
    const auto fraction = [&](double share) {
        return static_cast<int64_t>(share * static_cast<double>(t.steps));
    };
    auto since = Clock::now();
    const auto start = since;
    StepReport report;
    report.step = step_ + 1;
    // the first update already moves: schedules are read at the number of the update, from 1
    report.lr = learning_rate(step_ + 1, t.lr, t.lr * t.min_lr_fraction,
                              fraction(t.warmup_fraction), t.steps);
    report.tau = linear_ramp(step_, t.tau_start, t.tau_max, fraction(t.tau_fraction));
    report.alpha = linear_ramp(step_, 0.0, t.alpha_max, fraction(t.alpha_ramp_fraction));
    report.p_own =
        own_probability(step_, t.own_start, t.own_end, fraction(t.sampling_end_fraction));
    report.tokens = batch.n_targets;

    std::vector<Pass> passes;
    const auto together = static_cast<size_t>(t.documents_a_pass());
    for (size_t at = 0; at < batch.samples.size(); at += together) {
        Pass pass;
        pass.samples =
            std::span(batch.samples).subspan(at, std::min(together, batch.samples.size() - at));
        pass.first = static_cast<int64_t>(at);
        pass.diagnose = diagnose && at == 0;
        pass.report = report;
        passes.push_back(std::move(pass));
    }
    // the sum's order does not depend on which pass ends first
    optimizer_.clear_gradients();
    const auto workers = static_cast<size_t>(t.workers);
    for (size_t at = 0; at < passes.size(); at += workers) {
        const std::span<Pass> some =
            std::span(passes).subspan(at, std::min(workers, passes.size() - at));
        simultaneously(some.size(), [&](size_t i) {
            if (t.retriever_only) {
                rank_only(some[i], batch);
            } else {
                run(some[i], batch);
            }
        });
        for (Pass& pass : some) {
            optimizer_.add_gradients(pass.gradients);
            pass.gradients.clear();
            report.add(pass.report);
        }
    }
    since = Clock::now();
    report.gradient_norm = optimizer_.step(report.lr);
    report.update = lap(since);
    report.total = std::chrono::duration<double>(since - start).count();
    ++step_;
    return report;
}

ValidationReport Trainer::validate(std::span<const Sample> samples) const {
    const at::NoGradGuard no_grad;
    const model::ModelConfig& model = config_.model;
    const bool reads = model.retrieval != model::RetrievalKind::kNone && !model.cca_layers.empty();
    ValidationReport report;
    for (const Sample& sample : samples) {
        const model::Bf16Scope bf16(device_, config_.train.precision == Precision::kBf16);
        const std::span<const Sample> one(&sample, 1);
        const at::Tensor targets = stack_rows(one, &Sample::targets, device_);
        const model::LowerOutput low = model_.lower(stack_rows(one, &Sample::inputs, device_));
        const at::Tensor scores =
            model.has_retriever() ? model_.retrieval_scores(low) : at::Tensor();
        const at::Tensor chosen = reads ? neighbours(one, scores, 1.0) : at::Tensor();
        const auto nll = [&](const at::Tensor& with) {
            return model_.token_nll(model_.upper(low, with), targets).sum().item<double>();
        };
        const double none = nll(at::Tensor());
        report.none += none;
        report.own += reads ? nll(chosen) : none;
        report.tokens += sample.n_tokens;
    }
    report.own /= static_cast<double>(std::max<int64_t>(1, report.tokens));
    report.none /= static_cast<double>(std::max<int64_t>(1, report.tokens));
    return report;
}

}  // namespace rpt::train
