#include "lab/train/quote_past.h"

#include <algorithm>
#include <cmath>

#include "lab/train/counter_random.h"

namespace rpt::train {

void quote_past(const QuoteRule& rule, const ShardVocabulary& vocabulary, uint64_t seed,
                uint64_t sample, std::span<int32_t> text) {
    if (rule.share <= 0) return;
    const uint64_t m = rule.chunk;
    const auto is_mark = [&](int32_t token) {
        return token == vocabulary.bos || token == vocabulary.eos ||
               (vocabulary.has_fim() &&
                (token == vocabulary.fim_prefix || token == vocabulary.fim_suffix ||
                 token == vocabulary.fim_middle));
    };
    const auto holds_mark = [&](std::span<const int32_t> part) {
        return std::any_of(part.begin(), part.end(), is_mark);
    };
    uint64_t free_from = 0;  // first token after the last passage written
    // The model reads the beginning-of-text token first: text[c * m - 1] is what it reads at c * m.
    for (uint64_t border = m - 1; border < text.size(); border += m) {
        const auto draw = [&, at = 4 * border](uint64_t number) {
            return draw_uniform(seed, scatter(sample), at + number);
        };
        const auto below = [&](uint64_t number, uint64_t n) {
            return static_cast<uint64_t>(draw(number) * static_cast<double>(n));
        };
        if (draw(0) >= rule.share) continue;
        const uint64_t length = m / 4 + below(1, m - m / 4 + 1);
        const uint64_t cue = length / 4 + below(2, length / 2 + 1);
        if (border < length + cue || border < free_from + cue) continue;
        const uint64_t to = border - cue;
        if (to + length > text.size()) continue;
        const double stretch = static_cast<double>(to) / static_cast<double>(length);
        const uint64_t from =
            to - static_cast<uint64_t>(static_cast<double>(length) * std::pow(stretch, draw(3)));
        const auto passage = text.subspan(from, length), place = text.subspan(to, length);
        if (holds_mark(passage) || holds_mark(place)) continue;
        std::copy(passage.begin(), passage.end(), place.begin());
        free_from = to + length;
    }
}

}  // namespace rpt::train
