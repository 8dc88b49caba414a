#include "core/reader/copy_mixture.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/reader/exp_weights.h"

namespace rpt::reader {
namespace {

constexpr size_t kAtOnce = 8;  // queries of one pass: their sums stay in the processor's cache

struct Sums {
    std::vector<double> mass;  // by slot; the last is of places that do not count
    uint64_t places = 0, near = 0;
    float best = -2;
};

void add_part(std::span<const int32_t> slots, const float* scores, const float* weights,
              float threshold, Sums& sums) {
    for (size_t i = 0; i < slots.size(); ++i) {
        if (slots[i] == FollowerSlots::kNone) continue;
        sums.mass[size_t(slots[i])] += double(weights[i]);
        sums.near += scores[i] > threshold;
        sums.best = std::max(sums.best, scores[i]);
        ++sums.places;
    }
}

// Divides by the total and looks at what is left.
CopyBelief belief_of(Sums& sums, double temperature) {
    CopyBelief belief;
    belief.evidence.places = sums.places;
    belief.evidence.near = sums.near;
    belief.evidence.best_cosine = double(sums.best);
    for (const double mass : sums.mass) belief.total += mass;
    if (sums.places == 0) return belief;
    belief.evidence.log_sum = std::log(belief.total) + temperature;
    for (double& mass : sums.mass) {
        mass /= belief.total;
        belief.evidence.best_mass = std::max(belief.evidence.best_mass, mass);
        if (mass > 0) belief.evidence.entropy -= mass * std::log(mass);
    }
    belief.mass = sums.mass;
    return belief;
}

}  // namespace

void scan_places(const CopyPlaces& places, const CopyNumbers& numbers,
                 std::span<const CopyQuery> queries,
                 const std::function<void(size_t query, const CopyBelief&)>& sink) {
    const auto temperature = static_cast<float>(numbers.temperature),
               threshold = static_cast<float>(numbers.threshold);
    std::vector<float> scores, weights;
    std::vector<Sums> sums(std::min(kAtOnce, queries.size()));
    for (size_t first = 0; first < queries.size(); first += kAtOnce) {
        const size_t n = std::min(kAtOnce, queries.size() - first);
        for (Sums& one : sums) {
            one = {std::move(one.mass), 0, 0, -2};
            one.mass.assign(places.followers().tokens().size(), 0.0);
        }
        for (size_t part = 0; part < places.parts(); ++part) {
            const std::span<const int32_t> slots = places.slots(part);
            scores.resize(slots.size());
            weights.resize(slots.size());
            for (size_t q = 0; q < n; ++q) {
                places.scores(part, queries[first + q], scores.data());
                weigh_scores(scores.data(), slots.size(), temperature, weights.data());
                add_part(slots, scores.data(), weights.data(), threshold, sums[q]);
            }
        }
        for (size_t q = 0; q < n; ++q) sink(first + q, belief_of(sums[q], numbers.temperature));
    }
}

void trace_places(const CopyPlaces& places, const CopyNumbers& numbers, const CopyQuery& query,
                  int32_t slot, double total,
                  const std::function<void(size_t part, double mass)>& sink) {
    if (slot == FollowerSlots::kNone || total <= 0) return;
    std::vector<float> scores, weights;
    for (size_t part = 0; part < places.parts(); ++part) {
        const std::span<const int32_t> slots = places.slots(part);
        if (std::ranges::find(slots, slot) == slots.end()) continue;
        scores.resize(slots.size());
        weights.resize(slots.size());
        places.scores(part, query, scores.data());
        weigh_scores(scores.data(), slots.size(), static_cast<float>(numbers.temperature),
                     weights.data());
        double mass = 0;
        for (size_t i = 0; i < slots.size(); ++i)
            if (slots[i] == slot) mass += double(weights[i]);
        sink(part, mass / total);
    }
}

LogitFacts facts_of(std::span<const float> logits) {
    float most = -INFINITY;
    for (const float logit : logits) most = std::max(most, logit);
    double sum = 0, weighed = 0;
    for (const float logit : logits) {
        const auto apart = double(logit) - double(most);
        const double weight = apart < -80 ? 0 : double(exp_of(float(apart)));
        sum += weight;
        weighed += weight * apart;
    }
    const double log_sum = std::log(sum);
    return {double(most) + log_sum, log_sum - weighed / sum};
}

namespace plain {

std::vector<double> mix(std::span<const float> logits, std::span<const Source> sources,
                        std::vector<double>* shares) {
    double most = -INFINITY, sum = 0, entropy = 0;
    for (const float logit : logits) most = std::max(most, double(logit));
    for (const float logit : logits) sum += std::exp(double(logit) - most);
    std::vector<double> p;
    for (const float logit : logits) p.push_back(std::exp(double(logit) - most) / sum);
    for (const double one : p) entropy -= one > 0 ? one * std::log(one) : 0;
    for (const Source& source : sources) {
        std::vector<double> copy(p.size(), 0.0);
        CopyEvidence evidence;
        evidence.best_cosine = -2;
        double total = 0;
        for (const auto& [cosine, token] : source.places)
            total += std::exp(source.numbers.temperature * cosine);
        for (const auto& [cosine, token] : source.places) {
            copy[size_t(token)] += std::exp(source.numbers.temperature * cosine) / total;
            evidence.near += cosine > source.numbers.threshold;
            evidence.best_cosine = std::max(evidence.best_cosine, cosine);
            ++evidence.places;
        }
        for (const double one : copy) {
            evidence.best_mass = std::max(evidence.best_mass, one);
            evidence.entropy -= one > 0 ? one * std::log(one) : 0;
        }
        evidence.log_sum = std::log(total);
        const double share = copy_share(source.numbers, evidence, entropy);
        if (shares != nullptr) shares->push_back(share);
        for (size_t v = 0; v < p.size(); ++v) p[v] = (1 - share) * p[v] + share * copy[v];
    }
    return p;
}

}  // namespace plain
}  // namespace rpt::reader
