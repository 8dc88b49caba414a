#include "core/train/sample_source.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "core/train/counter_random.h"

namespace rpt::train {
namespace {

// Streams of random numbers, one a purpose.
constexpr uint64_t kSourceStream = 1;
constexpr uint64_t kOffsetStream = 2;
constexpr uint64_t kShuffleStream = 3;

}  // namespace

SampleSource::SampleSource(std::vector<WeightedShard> shards, int64_t length, double min_fill,
                           uint64_t seed)
    : length_(static_cast<uint64_t>(length)),
      min_tokens_(std::max<uint64_t>(
          1, static_cast<uint64_t>(std::ceil(min_fill * static_cast<double>(length))))),
      seed_(seed) {
    for (WeightedShard& shard : shards) {
        total_weight_ += shard.weight;
        sources_.push_back({std::move(shard), {}, 0, 0});
        fill(sources_.size() - 1);
        if (sources_.back().order.empty()) {
            throw Error(Status::kArgument, "rpt",
                        "shard " + std::to_string(sources_.size() - 1) + " has no document of " +
                            std::to_string(min_tokens_) +
                            " tokens; lower train.min_fill or train.length");
        }
    }
}

void SampleSource::fill(size_t number) {
    Source& source = sources_[number];
    source.order.clear();
    source.at = 0;
    const auto& documents = source.shard.shard->documents();
    const uint64_t stream = scatter(source.epoch) + number;
    for (size_t d = 0; d < documents.size(); ++d) {
        const uint64_t tokens = documents[d].tokens;
        if (tokens < min_tokens_) continue;
        const uint64_t pieces = std::max<uint64_t>(1, tokens / length_);
        const uint64_t slack = tokens > pieces * length_ ? tokens - pieces * length_ : 0;
        const uint64_t shift = draw_below(seed_ ^ kOffsetStream, stream, d, slack + 1);
        for (uint64_t p = 0; p < pieces; ++p) {
            const uint64_t begin = shift + p * length_;
            source.order.push_back({number, d, begin, std::min(length_, tokens - begin)});
        }
    }
    for (size_t i = source.order.size(); i > 1; --i) {
        std::swap(source.order[i - 1],
                  source.order[draw_below(seed_ ^ kShuffleStream, stream, i, i)]);
    }
}

Piece SampleSource::next() {
    double at = draw_uniform(seed_, kSourceStream, drawn_++) * total_weight_;
    size_t number = 0;
    while (number + 1 < sources_.size() && at >= sources_[number].shard.weight)
        at -= sources_[number++].shard.weight;
    Source& source = sources_[number];
    if (source.at == source.order.size()) {
        ++source.epoch;
        fill(number);
    }
    return source.order[source.at++];
}

void SampleSource::skip(uint64_t n) {
    for (uint64_t i = 0; i < n; ++i) next();
}

std::vector<int32_t> SampleSource::read(const Piece& piece) const {
    return sources_[piece.source].shard.shard->read(piece.document, piece.begin, piece.count);
}

size_t SampleSource::pieces() const {
    size_t n = 0;
    for (const Source& source : sources_) n += source.order.size();
    return n;
}

}  // namespace rpt::train
