#include "core/reader/copy_tally.h"

#include <algorithm>
#include <optional>

#include "core/model/reading.h"

namespace rpt::reader {
namespace {

constexpr size_t kMostTold = 8;
constexpr double kLeastTold = 0.005;  // of the range's probability

RetrievedChunk own_chunk(uint64_t number, const Sequence& sequence, size_t chunk, bool with_text) {
    RetrievedChunk told;
    told.own = true;
    told.info.ordinal = number;
    const size_t begin = size_t(number) * chunk;
    told.info.bytes = sequence.bytes(begin, std::min(begin + chunk, sequence.size()));
    if (with_text) told.text = sequence.text.substr(told.info.bytes.begin, told.info.bytes.size());
    return told;
}

}  // namespace

std::vector<RetrievedChunk> CopyTally::take(const MemorySearch& search, const Sequence& sequence,
                                            size_t chunk, const RetrieveOptions& options) {
    std::vector<std::pair<double, std::pair<bool, uint64_t>>> all;
    for (const auto& [place, share] : shares_)
        if (share >= kLeastTold * double(tokens_)) all.emplace_back(share / double(tokens_), place);
    shares_.clear();
    tokens_ = 0;
    std::ranges::sort(all, [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::vector<RetrievedChunk> told;
    for (const auto& [share, place] : all) {
        if (told.size() == kMostTold) break;
        std::optional<RetrievedChunk> one =
            place.first ? own_chunk(place.second, sequence, chunk, options.with_text)
                        : search.describe_stored(place.second, options);
        if (!one) continue;  // deleted meanwhile
        one->reading = model::kReadCopy;
        one->copied = static_cast<float>(std::min(share, 1.0));
        told.push_back(std::move(*one));
    }
    return told;
}

}  // namespace rpt::reader
