#include "lab/train/context_reader.h"

#include <algorithm>
#include <numeric>

#include "lab/network/model_weights.h"
#include "lab/train/chunk_passes.h"

namespace rpt::train {

std::unique_ptr<model::RptModel> reread(const model::RptModel& scorer,
                                        const model::ModelConfig& config) {
    return std::make_unique<model::RptModel>(config, scorer.weights(),
                                             scorer.weights().embedding.device());
}

at::Tensor chunk_rows(std::span<const int32_t> tokens, int64_t m, at::Device device) {
    const std::vector<int64_t> wide(tokens.begin(), tokens.end());
    return at::tensor(wide)
        .narrow(0, 0, static_cast<int64_t>(wide.size()) / m * m)
        .view({-1, m})
        .to(device);
}

at::Tensor numbers(const std::vector<int64_t>& values, at::Device device) {
    return at::tensor(values, at::kLong).to(device);
}

void store_means(const at::Tensor& nll, std::span<const size_t> places, std::vector<float>& out) {
    const at::Tensor mean = nll.mean(-1).neg().to(at::kCPU, at::kFloat).contiguous();
    for (size_t row = 0; row < places.size(); ++row)
        out[places[row]] = mean.data_ptr<float>()[static_cast<int64_t>(row)];
}

std::vector<ContextGroup> group_by_context(std::span<const ContextPair> pairs) {
    std::vector<size_t> order(pairs.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return pairs[a].context < pairs[b].context; });
    std::vector<ContextGroup> groups;
    for (const size_t place : order) {
        const int64_t j = pairs[place].context;
        const bool known = !groups.empty() && groups.back().contexts.back() == j;
        if (groups.empty() ||
            (!known && static_cast<int64_t>(groups.back().contexts.size()) == kContextsAtOnce))
            groups.emplace_back();
        if (!known) groups.back().contexts.push_back(j);
        groups.back().places.push_back(place);
    }
    return groups;
}

std::vector<PairRows> cut_group(const ContextGroup& group, std::span<const ContextPair> pairs) {
    std::vector<PairRows> parts;
    int64_t row = 0;
    for (size_t begin = 0; begin < group.places.size(); begin += kPairsAtOnce) {
        PairRows part;
        part.places =
            std::span(group.places)
                .subspan(begin, std::min<size_t>(kPairsAtOnce, group.places.size() - begin));
        for (const size_t place : part.places) {
            while (group.contexts[static_cast<size_t>(row)] != pairs[place].context) ++row;
            part.context_rows.push_back(row);
            part.queries.push_back(pairs[place].query);
        }
        parts.push_back(std::move(part));
    }
    return parts;
}

const char* context_name(ScoringContext context) {
    return context == ScoringContext::kPrefix ? "prefix" : "memory";
}

std::unique_ptr<ContextReader> make_context_reader(ScoringContext context,
                                                   const model::RptModel& scorer, int64_t chunk,
                                                   at::Device device) {
    if (context == ScoringContext::kPrefix) return make_prefix_reader(scorer, chunk, device);
    return make_memory_reader(scorer, chunk, device);
}

}  // namespace rpt::train
