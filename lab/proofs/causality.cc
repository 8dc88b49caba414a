#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "lab/proofs/model_checks.h"
#include "lab/proofs/own_neighbours.h"
#include "lab/proofs/small_models.h"

namespace rpt::proofs {
namespace {

constexpr double kSame = 1e-6;

at::Tensor logits_in_use(const model::RptModel& model, const at::Tensor& tokens) {
    const model::LowerOutput low = model.lower(tokens);
    return model.logits(model.upper(low, neighbours_in_use(model, low)));
}

at::Tensor changed_at(const at::Tensor& tokens, int64_t p, int64_t vocab) {
    at::Tensor changed = tokens.clone();
    int64_t& token = changed.data_ptr<int64_t>()[p];
    token = (token + 1) % vocab;
    return changed;
}

// One question, reading one neighbour that no attention window reaches.
Check memory_reaches_its_reader(const std::string& name, const model::RptModel& model,
                                uint64_t seed) {
    const model::ModelConfig& c = model.config();
    const int64_t m = c.chunk, blocks = 8, i = (blocks - 1) * c.chunks_per_block(), j = 1;
    const at::Tensor tokens = random_tokens(c, 1, blocks * c.stride, seed);
    at::Tensor neighbours = at::full({1, tokens.size(1) / m, 1}, -1, at::kLong);
    neighbours.data_ptr<int64_t>()[i] = j;
    const auto logits = [&](const at::Tensor& of) {
        return model.logits(model.upper(model.lower(of), neighbours));
    };
    const at::Tensor before = logits(tokens);
    double least = 1e9;
    for (const int64_t p : {j * m + 1, (j + 1) * m + 1}) {
        const at::Tensor moved =
            (logits(changed_at(tokens, p, c.vocab)) - before)[0].abs().amax(-1);
        least = std::min(least, moved.narrow(0, (i + 1) * m - 1, m).min().item<double>());
    }
    return expect_above(name + ": least change of a reader's logits by its neighbour", least,
                        kSame);
}

}  // namespace

std::vector<Check> check_causality(const std::string& name, const model::ModelConfig& config,
                                   uint64_t seed) {
    const at::NoGradGuard no_grad;
    const model::RptModel model(config, seed);
    const int64_t length = 6 * config.stride;
    const at::Tensor tokens = random_tokens(config, 1, length, seed);
    const at::Tensor before = logits_in_use(model, tokens);
    double most_earlier = 0, least_own = 1e9;
    for (int64_t p = 1; p < length; ++p) {
        const at::Tensor moved =
            (logits_in_use(model, changed_at(tokens, p, config.vocab)) - before)[0].abs().amax(-1);
        most_earlier = std::max(most_earlier, moved.narrow(0, 0, p).max().item<double>());
        least_own = std::min(least_own, moved[p].item<double>());
    }
    std::vector<Check> checks = {
        expect_below(name + ": most change of a logit by a later token", most_earlier, kSame),
        expect_above(name + ": least change of a token's own logits", least_own, kSame)};
    if (config.has_cca()) checks.push_back(memory_reaches_its_reader(name, model, seed));
    return checks;
}

}  // namespace rpt::proofs
