#include "core/reader/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace rpt::reader {

namespace {

void require(bool holds, const char* what) {
    if (!holds) throw Error(Status::kArgument, "rpt", std::string("generate: ") + what);
}

}  // namespace

Sampler::Sampler(const GenerateOptions& options, const text::Tokenizer& tokenizer,
                 int32_t end_of_turn)
    : temperature_(options.temperature),
      top_p_(options.top_p),
      repeat_penalty_(options.repeat_penalty),
      top_k_(options.top_k),
      repeat_window_(options.repeat_window),
      random_(options.seed) {
    require(std::isfinite(temperature_) && temperature_ >= 0,
            "temperature must be 0 (greedy) or above");
    require(std::isfinite(repeat_penalty_) && repeat_penalty_ >= 0,
            "repeat penalty must be 0 (off) or above");
    require(top_p_ >= 0 && top_p_ <= 1, "top_p must lie in [0, 1]; 0 is off");
    allowed_.resize(size_t(tokenizer.vocab_size()));
    for (int32_t id = 0; id < tokenizer.vocab_size(); ++id)
        allowed_[size_t(id)] =
            !tokenizer.is_special(id) || id == tokenizer.eos() || id == end_of_turn;
}

void Sampler::penalise(std::span<float> logits, std::span<const int32_t> recent) const {
    if (repeat_penalty_ == 0 || repeat_penalty_ == 1) return;
    if (recent.size() > repeat_window_) recent = recent.last(repeat_window_);
    std::vector<int32_t> once(recent.begin(), recent.end());
    std::sort(once.begin(), once.end());
    once.erase(std::unique(once.begin(), once.end()), once.end());
    for (int32_t id : once) {
        if (id < 0 || size_t(id) >= logits.size()) continue;
        float& logit = logits[size_t(id)];
        logit = logit > 0 ? logit / repeat_penalty_ : logit * repeat_penalty_;
    }
}

int32_t Sampler::sample(std::span<float> logits, std::span<const int32_t> recent) {
    penalise(logits, recent);
    candidates_.clear();
    for (size_t id = 0; id < std::min(logits.size(), allowed_.size()); ++id)
        if (allowed_[id] && std::isfinite(logits[id]))
            candidates_.push_back({int32_t(id), logits[id]});
    if (candidates_.empty())
        throw Error(Status::kInternal, "rpt",
                    "generate: the model gave no finite logit; check its weights");
    const auto better = [](const Candidate& a, const Candidate& b) {
        return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
    };
    if (temperature_ == 0)
        return std::min_element(candidates_.begin(), candidates_.end(), better)->id;
    if (top_k_ != 0 && top_k_ < candidates_.size()) {
        std::partial_sort(candidates_.begin(), candidates_.begin() + top_k_, candidates_.end(),
                          better);
        candidates_.resize(top_k_);
    } else if (top_p_ != 0) {
        std::sort(candidates_.begin(), candidates_.end(), better);
    }
    float highest = candidates_.front().logit;
    for (const Candidate& candidate : candidates_) highest = std::max(highest, candidate.logit);
    weights_.clear();
    double total = 0;
    for (const Candidate& candidate : candidates_) {
        weights_.push_back(std::exp((double(candidate.logit) - highest) / temperature_));
        total += weights_.back();
    }
    if (top_p_ != 0) {  // the fewest of the best that reach top_p together
        double reached = 0;
        size_t n = 0;
        while (n < weights_.size() && (n == 0 || reached < double(top_p_) * total))
            reached += weights_[n++];
        weights_.resize(n);
        total = reached;
    }
    double left = random_.uniform() * total;
    for (size_t i = 0; i < weights_.size(); ++i) {
        left -= weights_[i];
        if (left < 0) return candidates_[i].id;
    }
    return candidates_[weights_.size() - 1].id;
}

}  // namespace rpt::reader
