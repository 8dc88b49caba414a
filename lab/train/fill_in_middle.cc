#include "lab/train/fill_in_middle.h"

#include "base/error.h"

namespace rpt::train {

std::vector<int32_t> fill_in_middle(const ShardVocabulary& vocabulary,
                                    std::span<const int32_t> text, size_t first, size_t last) {
    RPT_CHECK(first <= last && last <= text.size() && vocabulary.has_fim());
    std::vector<int32_t> out;
    out.reserve(text.size() + kGapTokens);
    const auto append = [&](std::span<const int32_t> part) {
        out.insert(out.end(), part.begin(), part.end());
    };
    out.push_back(vocabulary.fim_prefix);
    append(text.first(first));
    out.push_back(vocabulary.fim_suffix);
    append(text.subspan(last));
    out.push_back(vocabulary.fim_middle);
    append(text.subspan(first, last - first));
    out.push_back(vocabulary.eos);
    return out;
}

}  // namespace rpt::train
