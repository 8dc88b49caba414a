#include "core/reader/leg_search.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/reader/state_mass.h"
#include "core/reader/text_query.h"

namespace rpt::reader {
namespace {

// Hits of a leg among which the states are compared.
constexpr size_t kShortList = 32;

constexpr bool has(uint32_t legs, Leg leg) {
    return (legs >> leg & 1) != 0;
}

}  // namespace

std::vector<int32_t> LegSearch::tokens_of(std::string_view text) const {
    std::vector<int32_t> tokens{engine_.tokenizer()->bos()};
    for (const text::Token& token : engine_.tokenizer()->encode(text)) tokens.push_back(token.id);
    return tokens;
}

std::vector<float> LegSearch::key_query(std::string_view text, const CallControl& control) const {
    return recent_query(engine_, tokens_of(text), size_t(engine_.config().chunk), control);
}

std::vector<storage::Hit> LegSearch::find_by_states(std::span<const float> asked,
                                                    const LegHits& others, size_t n,
                                                    const CallControl& control) const {
    std::vector<uint64_t> chunks;
    for (const std::vector<storage::Hit>& hits : others)
        for (size_t i = 0; i < std::min(hits.size(), kShortList); ++i)
            if (std::ranges::find(chunks, hits[i].chunk_id) == chunks.end())
                chunks.push_back(hits[i].chunk_id);
    std::vector<storage::Hit> hits =
        rank_by_states(store_, chunks, asked, size_t(engine_.config().dim), control);
    if (hits.size() > n) hits.resize(n);
    return hits;
}

LegHits LegSearch::find(std::string_view text, uint32_t legs, size_t n,
                        const storage::SearchFilter& filter, const CallControl& control) const {
    LegHits hits;
    // what the states are compared among
    const uint32_t others = has(legs, kLegStates) ? legs_of(engine_.config()) : legs;
    const size_t m = size_t(engine_.config().chunk);
    std::vector<int32_t> tokens;
    if (has(others, kLegKeys) || has(legs, kLegStates)) tokens = tokens_of(text);
    const bool fits = tokens.size() <= m;
    engine::EncodedChunk asked;
    if (has(legs, kLegStates)) {
        // the begin token stands before whatever is asked
        std::vector<int32_t> last = tokens;
        if (!fits) last.erase(last.begin() + 1, last.end() - ptrdiff_t(m - 1));
        asked = std::move(engine_.encode_segment({}, last).front());
    }
    if (has(others, kLegKeys)) {
        storage::SearchFilter weighed = filter;
        weighed.weigh_by_idf = engine_.config().key_features > 0;
        // a text that fits a chunk has been encoded as the key wants it
        if (!fits || asked.query.empty()) asked.query = recent_query(engine_, tokens, m, control);
        hits[kLegKeys] = store_.search(spaces_, asked.query, n, weighed, control);
    }
    constexpr std::array kByText{std::pair{kLegWords, storage::WordLeg::kWords},
                                 std::pair{kLegGrams, storage::WordLeg::kGrams},
                                 std::pair{kLegDefinitions, storage::WordLeg::kDefinitions}};
    for (const auto& [leg, compared] : kByText)
        if (has(others, leg))
            hits[leg] = store_.search_words(spaces_, text, compared, n, filter, control);
    if (has(legs, kLegStates)) hits[kLegStates] = find_by_states(asked.states, hits, n, control);
    for (size_t leg = 0; leg < kLegs; ++leg)
        if (!has(legs, Leg(leg))) hits[leg].clear();
    return hits;
}

}  // namespace rpt::reader
