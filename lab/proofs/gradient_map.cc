#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "lab/proofs/model_checks.h"
#include "lab/proofs/own_neighbours.h"
#include "lab/proofs/random_draws.h"
#include "lab/proofs/small_models.h"
#include "lab/train/lambda_rank.h"

namespace rpt::proofs {
namespace {

constexpr int64_t kBlocks = 6;
constexpr double kMargin = 4.0;
constexpr int64_t kCandidates = 3;

bool starts_with(const std::string& name, const char* prefix) {
    return name.rfind(prefix, 0) == 0;
}

// W_Q, W_K, their norms and biases.
bool of_retriever(const std::string& name) {
    return starts_with(name, "memory.key") || starts_with(name, "memory.query");
}

// Largest gradient of the parameters that `counts`; a missing one is 0.
double largest_gradient(const model::RptModel& model,
                        const std::function<bool(const std::string&)>& counts) {
    double most = 0;
    for (const auto& [name, parameter] : model.parameters()) {
        if (counts(name) && parameter.grad().defined())
            most = std::max(most, parameter.grad().abs().max().item<double>());
    }
    return most;
}

void clear_gradients(const model::RptModel& model) {
    for (const auto& [name, parameter] : model.parameters()) {
        at::Tensor p = parameter;
        p.mutable_grad().reset();
    }
}

// Candidates of every chunk with a pool, the first one good: int64 and fp32 [1, l, C].
std::pair<at::Tensor, at::Tensor> drawn_targets(const model::ModelConfig& config, int64_t l,
                                                uint64_t seed) {
    RandomDraws draws(seed, 1);
    at::Tensor candidate = at::full({1, l, kCandidates}, -1, at::kLong);
    at::Tensor target = at::zeros({1, l, kCandidates}, at::kFloat);
    for (int64_t i = 0; i < l; ++i) {
        const int64_t pool = model::last_retrievable(config, i) + 1;
        if (pool <= 0) continue;
        const auto drawn = draws.different(std::min(kCandidates, pool), pool);
        for (size_t c = 0; c < drawn.size(); ++c) {
            candidate.data_ptr<int64_t>()[i * kCandidates + static_cast<int64_t>(c)] = drawn[c];
            target.data_ptr<float>()[i * kCandidates + static_cast<int64_t>(c)] =
                c == 0 ? 1.0f : (c == 1 ? 0.3f : -0.1f);
        }
    }
    return {candidate, target};
}

// The memory alone: states as leaves, one reader, one neighbour. 1 if the language model's loss
// reaches exactly the two retrieved chunks.
double reached_states_are_the_retrieved(const model::RptModel& model, uint64_t seed) {
    const model::ModelConfig& c = model.config();
    model::LowerOutput low = model.lower(random_tokens(c, 1, kBlocks * c.stride, seed));
    low.hidden = low.hidden.detach();
    low.states = low.states.detach().requires_grad_(true);
    const int64_t l = low.states.size(1), i = l - 2, j = 1;
    at::Tensor neighbours = at::full({1, l, 1}, -1, at::kLong);
    neighbours.data_ptr<int64_t>()[i] = j;
    model.upper(low, neighbours).square().sum().backward();
    const at::Tensor reached = low.states.grad()[0].abs().sum({-1, -2}).gt(0);
    bool exact = true;
    for (int64_t chunk = 0; chunk < l; ++chunk)
        exact = exact && reached[chunk].item<bool>() == (chunk == j || chunk == j + 1);
    clear_gradients(model);
    return exact ? 1.0 : 0.0;
}

// Largest relative error of d aux / d W along the gradient, over W_Q and W_K. The weights of pairs
// are constants of the loss and jump where ranks change: the best of three steps counts, since a
// shorter one does not meet the jump that spoils a longer one.
double ranking_difference_error(const model::RptModel& model, const at::Tensor& tokens,
                                const at::Tensor& pool, const at::Tensor& candidate,
                                const at::Tensor& target) {
    const auto aux = [&] {
        return train::lambda_rank_sum(model.retrieval_scores(model.lower(tokens)), pool, candidate,
                                      target, kMargin, train::LambdaForm::kCode);
    };
    clear_gradients(model);
    aux().backward();
    double worst = 0;
    for (const auto& [name, parameter] : model.parameters()) {
        if (!of_retriever(name) || parameter.dim() != 2) continue;
        const at::NoGradGuard no_grad;
        at::Tensor p = parameter.detach();
        const double norm = parameter.grad().norm().item<double>();
        double error = 1e9;
        for (const double reach : {1e-3, 3e-4, 1e-4}) {
            const at::Tensor step = parameter.grad() * (reach / norm);
            p.add_(step);
            const double up = aux().item<double>();
            p.sub_(step * 2);
            const double down = aux().item<double>();
            p.add_(step);
            error = std::min(error, std::abs((up - down) / (2 * reach) - norm) / norm);
        }
        worst = std::max(worst, error);
    }
    clear_gradients(model);
    return worst;
}

}  // namespace

std::vector<Check> check_gradients(const std::string& name, const model::ModelConfig& config,
                                   uint64_t seed) {
    const model::RptModel model(config, seed);
    const int64_t length = kBlocks * config.stride, l = length / config.chunk;
    const at::Tensor tokens = random_tokens(config, 2, length, seed);
    std::vector<Check> checks;

    const model::LowerOutput low = model.lower(tokens);
    model.token_nll(model.upper(low, neighbours_in_use(model, low)), tokens).mean().backward();
    const auto anything = [](const std::string&) { return true; };
    checks.push_back(expect_above(name + ": largest gradient of the language model's loss",
                                  largest_gradient(model, anything), 0));
    if (config.ranks() && !config.scores_weigh()) {
        checks.push_back(expect_near(name + ": its gradient in W_Q and W_K",
                                     largest_gradient(model, of_retriever), 0, 0));
    }
    clear_gradients(model);
    if (config.has_cca()) {
        checks.push_back(expect_near(name + ": it reaches the retrieved states and no others (1)",
                                     reached_states_are_the_retrieved(model, seed), 1, 0));
    }
    if (!config.ranks()) return checks;

    at::Tensor pool = at::empty({l}, at::kLong);
    for (int64_t i = 0; i < l; ++i)
        pool.data_ptr<int64_t>()[i] = std::max<int64_t>(0, model::last_retrievable(config, i) + 1);
    const at::Tensor one = tokens.narrow(0, 0, 1);
    const auto [candidate, target] = drawn_targets(config, l, seed);
    train::lambda_rank_sum(model.retrieval_scores(model.lower(one)), pool, candidate, target,
                           kMargin, train::LambdaForm::kCode)
        .backward();
    checks.push_back(expect_above(name + ": largest gradient of the ranking loss in W_Q and W_K",
                                  largest_gradient(model, of_retriever), 0));
    const auto upper_part = [&](const std::string& p) {
        if (starts_with(p, "memory.gate") || starts_with(p, "memory.augment")) return true;
        if (!starts_with(p, "layers.")) return false;
        return std::stoll(p.substr(7)) >= config.n_lower;
    };
    checks.push_back(expect_near(name + ": its gradient in the upper half and the gate",
                                 largest_gradient(model, upper_part), 0, 0));
    checks.push_back(
        expect_below(name + ": error of its gradient against finite differences at margin 4",
                     ranking_difference_error(model, one, pool, candidate, target), 0.02));
    return checks;
}

}  // namespace rpt::proofs
