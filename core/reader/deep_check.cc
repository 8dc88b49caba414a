#include "core/reader/deep_check.h"

#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "core/reader/segment_encoder.h"

namespace rpt::reader {
namespace {

// Far above fp16 keys, four-bit states and another order of sums; far below another text's values.
constexpr double kMostDifference = 0.25;

// Root mean square of the difference over that of the values.
double difference(std::span<const float> stored, std::span<const float> made) {
    double apart = 0, size = 0;
    for (size_t i = 0; i < stored.size(); ++i) {
        const double d = double(stored[i]) - double(made[i]);
        apart += d * d;
        size += double(made[i]) * double(made[i]);
    }
    return size > 0 ? std::sqrt(apart / size) : (apart > 0 ? 1.0 : 0.0);
}

void check_segment(const SegmentEncoder& encoder, storage::Store& store, uint64_t segment,
                   const std::string& key, const storage::FindingSink& found) {
    const auto tokens = store.read_segment_tokens(segment, 2 * size_t(encoder.context_tokens()));
    if (!tokens || tokens->tokens.empty()) return;
    const std::vector<storage::ChunkRecord> stored = store.read_segment(segment);
    const std::vector<engine::EncodedChunk> made = encoder.again(tokens->context, tokens->tokens);
    const auto tell = [&](size_t chunk, const char* what) {
        found({storage::Finding::Severity::kDamage,
               "document \"" + key + "\", segment " + std::to_string(segment) + ", chunk " +
                   std::to_string(chunk) + ": " + what +
                   " what the model makes of its tokens; read the document again"});
    };
    if (made.size() != stored.size()) return tell(0, "the number of chunks is not");
    for (size_t i = 0; i < made.size(); ++i) {
        if (difference(stored[i].key, made[i].key) > kMostDifference) tell(i, "its key is not");
        if (!stored[i].states.empty() &&
            (stored[i].states.size() != made[i].states.size() ||
             difference(stored[i].states, made[i].states) > kMostDifference))
            tell(i, "its states are not");
        if (stored[i].pointers.size() != made[i].pointers.size() ||
            difference(stored[i].pointers, made[i].pointers) > kMostDifference)
            tell(i, "its pointer keys are not");
    }
}

}  // namespace

void check_against_model(const engine::Engine& engine, storage::Store& store,
                         const storage::FindingSink& found, const CallControl& control) {
    const SegmentEncoder encoder(engine, store.model().context_tokens);
    std::vector<std::pair<std::string, std::string>> names;
    store.list_spaces([&](const std::string& owner, const std::string& collection) {
        names.emplace_back(owner, collection);
        return true;
    });
    const uint64_t total = store.stats().chunks;
    uint64_t done = 0;
    for (const auto& [owner, collection] : names) {
        const auto space = store.open_space(owner, collection, false);
        std::vector<std::string> keys;
        space->list_documents("", [&](const storage::DocumentInfo& info) {
            keys.push_back(info.key);
            return true;
        });
        std::set<uint64_t> seen;
        for (const std::string& key : keys) {
            for (const storage::SegmentInfo& segment : space->list_segments(key)) {
                control.report(done, total);
                if (!seen.insert(segment.id).second) continue;
                // Segments of an upgraded store were encoded under another rule.
                if (segment.identity != Digest{})
                    check_segment(encoder, store, segment.id, key, found);
                done += segment.chunks;
            }
        }
    }
}

}  // namespace rpt::reader
