#include "core/reader/copy_mixture.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace rpt::reader {
namespace {

constexpr size_t kAtOnce = 4;  // queries of one pass over the keys: their sums stay in the cache

// A place's share of the whole that no reader would notice, however many there are.
constexpr float kLeastShare = 1e-7f;

// Divides by the total and looks at what is left.
CopyBelief belief_of(CopySums& sums, uint64_t places, double temperature) {
    CopyBelief belief;
    belief.read = &sums.read;
    belief.evidence.places = places;
    belief.evidence.near = sums.near;
    belief.evidence.best_cosine = double(sums.best);
    const std::span<double> masses = std::span(sums.mass).subspan(1);
    for (const double mass : masses) belief.total += mass;
    if (places == 0) return belief;
    belief.evidence.log_sum = std::log(belief.total) + temperature;
    belief.evidence.entropy = masses_entropy(masses, belief.total);
    const double inverse = 1 / belief.total;
    double largest = 0;
    for (double& mass : masses) {
        mass *= inverse;
        largest = std::max(largest, mass);
    }
    belief.evidence.best_mass = largest;
    belief.mass = masses;
    return belief;
}

}  // namespace

void scan_places(const CopyPlaces& places, const CopyNumbers& numbers,
                 std::span<const CopyQuery> queries,
                 const std::function<void(size_t query, CopyBelief&)>& sink) {
    std::vector<CopySums> sums(std::min(kAtOnce, queries.size()));
    for (size_t first = 0; first < queries.size(); first += kAtOnce) {
        const size_t n = std::min(kAtOnce, queries.size() - first);
        for (CopySums& one : sums) one.begin(places.followers().tokens().size());
        const auto add = places.pages().empty() ? add_every_place : add_best_places;
        add(places, numbers, queries.subspan(first, n), std::span(sums).first(n));
        for (size_t q = 0; q < n; ++q) {
            CopyBelief belief = belief_of(sums[q], places.count(), numbers.temperature);
            sink(first + q, belief);
        }
    }
}

void trace_places(const CopyPlaces& places, const ReadPlaces& read, int32_t slot, double total,
                  const std::function<void(uint64_t chunk, double mass)>& sink) {
    if (slot == FollowerSlots::kNone || total <= 0) return;
    const std::span<const int32_t> slots = places.slots();
    const float least = kLeastShare * static_cast<float>(total);
    uint64_t chunk = 0;
    double mass = 0;
    for (size_t i = 0; i < read.weights.size(); ++i) {
        const size_t place = read.every ? i : read.which[i];
        if (slots[place] != slot || read.weights[i] < least) continue;
        const uint64_t here = places.chunk(place);
        if (here != chunk && mass > 0) sink(chunk, std::exchange(mass, 0.0) / total);
        chunk = here;
        mass += double(read.weights[i]);
    }
    if (mass > 0) sink(chunk, mass / total);
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
