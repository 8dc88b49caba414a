#include "core/reader/search_legs.h"

#include <algorithm>
#include <unordered_map>

namespace rpt::reader {
namespace {

// Chosen on validation sets (docs/retrieval.md), weights in the order of Leg.
constexpr float kSmoothing = 1;
constexpr std::array<float, kLegs> kWeights{0.3f, 0.5f, 1, 2, 1};

}  // namespace

uint32_t legs_of(const model::ModelConfig& config) {
    uint32_t legs = kAllLegs;
    if (!config.has_retriever()) legs &= ~(1u << kLegKeys);
    // the states of other models are not made to be compared
    if (!config.passes_neighbours()) legs &= ~(1u << kLegStates);
    return legs;
}

std::vector<FusedHit> fuse(const LegHits& hits, uint32_t legs) {
    std::unordered_map<uint64_t, FusedHit> by_chunk;
    float most = 0;
    for (size_t leg = 0; leg < kLegs; ++leg) {
        if ((legs >> leg & 1) == 0) continue;
        most += kWeights[leg] / (kSmoothing + 1);
        for (size_t i = 0; i < hits[leg].size(); ++i) {
            const storage::Hit& hit = hits[leg][i];
            FusedHit& fused = by_chunk[hit.chunk_id];
            fused.chunk = hit.chunk_id;
            fused.score += kWeights[leg] / (kSmoothing + 1 + float(i));
            fused.legs[leg] = {static_cast<uint32_t>(i + 1), hit.score};
        }
    }
    std::vector<FusedHit> out;
    for (auto& [chunk, fused] : by_chunk) {
        fused.score /= most;
        out.push_back(fused);
    }
    std::ranges::sort(out, [](const FusedHit& a, const FusedHit& b) {
        return a.score != b.score ? a.score > b.score : a.chunk < b.chunk;
    });
    return out;
}

}  // namespace rpt::reader
