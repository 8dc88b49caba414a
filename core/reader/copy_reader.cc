#include "core/reader/copy_reader.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "core/reader/copy_weights.h"

namespace rpt::reader {
namespace {

constexpr size_t kTokensAtOnce = 64;   // between two looks at the call's control
constexpr double kLeastTraced = 0.01;  // copied share of a token that is worth a second pass

std::vector<CopyQuery> queries_of(std::span<const float> numbers, size_t width) {
    std::vector<CopyQuery> queries;
    queries.reserve(numbers.size() / width);
    for (size_t i = 0; i + width <= numbers.size(); i += width)
        queries.emplace_back(numbers.subspan(i, width));
    return queries;
}

}  // namespace

size_t own_places_end(const model::ModelConfig& config, uint64_t position) {
    const auto stride = static_cast<uint64_t>(config.stride), block = position / stride;
    return block == 0 ? 0 : static_cast<size_t>((block - 1) * stride);
}

CopyReader::CopyReader(const engine::Engine& engine, storage::Store* store,
                       std::span<const std::shared_ptr<storage::Space>> spaces)
    : engine_(engine), store_(store), settings_(CopySettings::read(engine.copy_numbers())) {
    for (const std::shared_ptr<storage::Space>& space : spaces)
        if (std::ranges::none_of(spaces_, [&](const auto& known) {
                return known->owner() == space->owner() &&
                       known->collection() == space->collection();
            }))
            spaces_.push_back(space);
    in_spaces_.resize(spaces_.size());
}

void CopyReader::look(const OwnPointers* own, std::span<const int32_t> ids, size_t own_end,
                      const storage::SearchFilter& filter, const CallControl& control) {
    if (filter != filter_)
        for (auto& places : in_spaces_) places.reset();
    filter_ = filter;
    const int32_t bos = engine_.tokenizer()->bos();
    for (size_t i = 0; i < spaces_.size(); ++i) {
        auto snapshot = store_->pointers(spaces_[i], control);
        if (in_spaces_[i] && &in_spaces_[i]->snapshot() == snapshot.get()) continue;
        in_spaces_[i] =
            std::make_unique<SpacePlaces>(std::move(snapshot), bos, ReadingLimits{},
                                          store_->hidden_chunks(spaces_[i], filter, control));
    }
    const size_t end = own == nullptr ? 0 : own_end;
    if (in_own_ && own_ == own && own_end_ == end &&
        std::ranges::equal(own_ids_, ids.first(std::min(end + 1, ids.size()))))
        return;
    in_own_.reset();
    if (end == 0) return;
    in_own_ = std::make_unique<OwnPlaces>(*own, ids, end, size_t(engine_.config().chunk));
    own_ = own;
    own_end_ = end;
    const std::span<const int32_t> seen = ids.first(std::min(end + 1, ids.size()));
    own_ids_.assign(seen.begin(), seen.end());
}

std::vector<CopyReader::Source> CopyReader::sources() const {
    std::vector<Source> all;
    for (const auto& places : in_spaces_)
        if (places && !places->slots().empty()) all.push_back({places.get(), &settings_.spaces});
    if (in_own_) all.push_back({in_own_.get(), &settings_.own});
    return all;
}

void CopyReader::mix_scored(std::span<const float> queries, std::span<const int32_t> next,
                            std::span<const double> entropies, std::span<float> log_probs,
                            std::span<CopyTally* const> tallies, const CallControl& control) const {
    const auto width = static_cast<size_t>(engine_.config().pointer_width);
    RPT_CHECK(queries.size() == next.size() * width && entropies.size() == next.size() &&
              log_probs.size() == next.size());
    struct Part {
        double lambda = 0, mass = 0;
        std::vector<std::pair<uint64_t, double>> chunks;  // what holds the mass, where it is told
    };
    const std::vector<Source> all = sources();
    if (all.empty()) return;
    for (size_t first = 0; first < next.size(); first += kTokensAtOnce) {
        const size_t n = std::min(kTokensAtOnce, next.size() - first);
        const std::vector<CopyQuery> ready =
            queries_of(queries.subspan(first * width, n * width), width);
        std::vector<double> p(n);
        for (size_t i = 0; i < n; ++i) p[i] = std::exp(double(log_probs[first + i]));
        std::vector<std::vector<Part>> parts(all.size(), std::vector<Part>(n));
        for (size_t s = 0; s < all.size(); ++s) {
            control.check();
            scan_places(*all[s].places, *all[s].numbers, ready, [&](size_t i, CopyBelief& belief) {
                Part& part = parts[s][i];
                part.lambda = copy_share(*all[s].numbers, belief.evidence, entropies[first + i]);
                const int32_t slot = all[s].places->followers().find(next[first + i]);
                if (slot != FollowerSlots::kNone && !belief.mass.empty())
                    part.mass = belief.mass[size_t(slot)];
                p[i] = (1 - part.lambda) * p[i] + part.lambda * part.mass;
                // Later sources only make the share smaller.
                if (tallies.empty() || tallies[first + i] == nullptr ||
                    part.lambda * part.mass < kLeastTraced * p[i])
                    return;
                trace_places(
                    *all[s].places, *belief.read, slot, belief.total,
                    [&](uint64_t chunk, double mass) { part.chunks.emplace_back(chunk, mass); });
            });
        }
        for (size_t i = 0; i < n; ++i) {
            log_probs[first + i] = static_cast<float>(std::log(std::max(p[i], 1e-300)));
            if (tallies.empty() || tallies[first + i] == nullptr) continue;
            CopyTally& tally = *tallies[first + i];
            tally.count_token();
            double rest = 1;  // what later sources leave
            for (size_t s = all.size(); s-- > 0;) {
                const Part& part = parts[s][i];
                const double share = rest * part.lambda / std::max(p[i], 1e-300);
                rest *= 1 - part.lambda;
                if (share * part.mass < kLeastTraced) continue;
                for (const auto& [chunk, mass] : part.chunks)
                    tally.add(all[s].places->is_own(), chunk, share * mass);
            }
        }
    }
}

void CopyReader::mix(std::span<const float> query, std::span<float> logits,
                     const CallControl& control) {
    const LogitFacts facts = facts_of(logits);
    shares_.clear();
    query_ = queries_of(query, query.size());
    std::vector<double> added(logits.size());
    double keep = 1;  // share of the model's own prediction
    for (const Source& source : sources()) {
        control.check();
        scan_places(*source.places, *source.numbers, query_, [&](size_t, CopyBelief& belief) {
            const double lambda = copy_share(*source.numbers, belief.evidence, facts.entropy);
            if (belief.mass.empty() || lambda == 0) return;
            for (Share& share : shares_) share.weight *= 1 - lambda;
            for (double& one : added) one *= 1 - lambda;
            keep *= 1 - lambda;
            const std::span<const int32_t> tokens = source.places->followers().tokens();
            for (size_t slot = 0; slot < belief.mass.size(); ++slot)
                if (size_t(tokens[slot]) < added.size())
                    added[size_t(tokens[slot])] += lambda * belief.mass[slot];
            shares_.push_back({source, lambda, belief.total, std::move(*belief.read)});
        });
    }
    log_sum_ = facts.log_sum;
    if (!shares_.empty()) mix_into_logits(logits, added, keep, facts.log_sum);
    mixed_.assign(logits.begin(), logits.end());
}

void CopyReader::trace(int32_t token, CopyTally& tally) const {
    if (token < 0 || size_t(token) >= mixed_.size()) return;
    tally.count_token();
    const double p = std::exp(double(mixed_[size_t(token)]) - log_sum_);
    for (const Share& share : shares_)
        trace_places(*share.source.places, share.read, share.source.places->followers().find(token),
                     share.total, [&](uint64_t chunk, double mass) {
                         tally.add(share.source.places->is_own(), chunk,
                                   share.weight * mass / std::max(p, 1e-300));
                     });
}

}  // namespace rpt::reader
