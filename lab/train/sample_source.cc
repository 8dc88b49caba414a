#include "lab/train/sample_source.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "base/error.h"
#include "lab/train/counter_random.h"
#include "lab/train/fill_in_middle.h"

namespace rpt::train {
namespace {

// Streams of random numbers, one a purpose.
constexpr uint64_t kSourceStream = 1;
constexpr uint64_t kOffsetStream = 2;
constexpr uint64_t kShuffleStream = 3;
constexpr uint64_t kOrderStream = 4;
constexpr uint64_t kGapStream = 5;
constexpr uint64_t kQuoteStream = 6;

// Documents that belong together, collections by first appearance. Documents without a token are
// left out.
std::vector<std::vector<size_t>> group_by_collection(const Shard& shard) {
    std::vector<std::vector<size_t>> groups;
    std::map<std::string, size_t> number_of;
    for (size_t d = 0; d < shard.documents().size(); ++d) {
        if (shard.documents()[d].tokens == 0) continue;
        const auto [it, fresh] =
            number_of.try_emplace(shard.documents()[d].collection, groups.size());
        if (fresh) groups.emplace_back();
        groups[it->second].push_back(d);
    }
    return groups;
}

// Tokens of a collection's documents and of what opens all but the first.
uint64_t collection_tokens(const Shard& shard, const std::vector<size_t>& documents) {
    uint64_t n = documents.size() - 1;
    for (const size_t d : documents) n += shard.documents()[d].tokens;
    return n;
}

}  // namespace

SampleSource::SampleSource(std::vector<WeightedShard> shards, int64_t length, double min_fill,
                           uint64_t seed, QuoteRule quotes)
    : length_(static_cast<uint64_t>(length)),
      min_tokens_(std::max<uint64_t>(
          1, static_cast<uint64_t>(std::ceil(min_fill * static_cast<double>(length))))),
      seed_(seed),
      quotes_(quotes) {
    for (WeightedShard& shard : shards) {
        total_weight_ += shard.weight;
        if (shard.fim > 0 && !shard.shard->vocabulary().has_fim()) {
            throw Error(Status::kArgument, "rpt",
                        "data." + std::to_string(sources_.size()) +
                            ".fim: the shard does not name the tokens around a gap; prepare it "
                            "again with a tokenizer that has <|fim_prefix|>, <|fim_suffix|> and "
                            "<|fim_middle|>");
        }
        sources_.push_back({std::move(shard), {}, 0, 0, {}});
        if (sources_.back().shard.across_documents)
            sources_.back().collections = group_by_collection(*sources_.back().shard.shard);
        fill(sources_.size() - 1);
        if (sources_.back().order.empty()) {
            throw Error(Status::kArgument, "rpt",
                        "shard " + std::to_string(sources_.size() - 1) + " has no " +
                            (sources_.back().shard.across_documents ? "collection" : "document") +
                            " of " + std::to_string(min_tokens_) +
                            " tokens; lower train.min_fill or train.length");
        }
    }
}

void SampleSource::fill(size_t number) {
    Source& source = sources_[number];
    source.order.clear();
    source.at = 0;
    const bool across = source.shard.across_documents;
    const auto& documents = source.shard.shard->documents();
    const uint64_t stream = scatter(source.epoch) + number;
    const size_t n = across ? source.collections.size() : documents.size();
    for (size_t d = 0; d < n; ++d) {
        const uint64_t tokens = across
                                    ? collection_tokens(*source.shard.shard, source.collections[d])
                                    : documents[d].tokens;
        if (tokens < min_tokens_) continue;
        const uint64_t pieces = std::max<uint64_t>(1, tokens / length_);
        const uint64_t slack = tokens > pieces * length_ ? tokens - pieces * length_ : 0;
        const uint64_t shift = draw_below(seed_ ^ kOffsetStream, stream, d, slack + 1);
        for (uint64_t p = 0; p < pieces; ++p) {
            const uint64_t begin = shift + p * length_;
            source.order.push_back(
                {number, d, begin, std::min(length_, tokens - begin), source.epoch, 0});
        }
    }
    for (size_t i = source.order.size(); i > 1; --i) {
        std::swap(source.order[i - 1],
                  source.order[draw_below(seed_ ^ kShuffleStream, stream, i, i)]);
    }
}

Piece SampleSource::next() {
    const uint64_t sample = drawn_++;
    double at = draw_uniform(seed_, kSourceStream, sample) * total_weight_;
    size_t number = 0;
    while (number + 1 < sources_.size() && at >= sources_[number].shard.weight)
        at -= sources_[number++].shard.weight;
    Source& source = sources_[number];
    if (source.at == source.order.size()) {
        ++source.epoch;
        fill(number);
    }
    Piece piece = source.order[source.at++];
    piece.number = sample;
    return piece;
}

void SampleSource::skip(uint64_t n) {
    for (uint64_t i = 0; i < n; ++i) next();
}

std::vector<int32_t> SampleSource::read(const Piece& piece) const {
    std::vector<int32_t> text = read_parts(piece);
    quote_past(quotes_, sources_[piece.source].shard.shard->vocabulary(), seed_ ^ kQuoteStream,
               piece.number, text);
    return text;
}

std::vector<int32_t> SampleSource::read_parts(const Piece& piece) const {
    const Source& source = sources_[piece.source];
    if (!source.shard.across_documents && source.shard.fim <= 0)
        return source.shard.shard->read(piece.document, piece.begin, piece.count);
    std::vector<int32_t> text;
    text.reserve(length_);
    const std::vector<Part> all = parts(piece);
    for (size_t i = 0; i < all.size(); ++i) append_part(piece, i, all[i], text);
    return text;
}

std::vector<SampleSource::Part> SampleSource::parts(const Piece& piece) const {
    const Source& source = sources_[piece.source];
    if (!source.shard.across_documents) return {{piece.document, piece.begin, piece.count, false}};
    std::vector<size_t> order = source.collections[piece.document];
    const uint64_t stream = scatter(scatter(piece.epoch) + piece.source) + piece.document;
    for (size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[draw_below(seed_ ^ kOrderStream, stream, i, i)]);
    std::vector<Part> out;
    const uint64_t end = piece.begin + piece.count;
    uint64_t at = 0;  // where the token that opens the document stands
    for (size_t i = 0; i < order.size() && at < end; ++i) {
        const uint64_t first = at + (i > 0 ? 1 : 0);
        const uint64_t last = first + source.shard.shard->documents()[order[i]].tokens;
        const uint64_t from = std::max(first, piece.begin), to = std::min(last, end);
        const bool opened = i > 0 && at >= piece.begin;
        if (opened || from < to)
            out.push_back({order[i], from - first, from < to ? to - from : 0, opened});
        at = last;
    }
    return out;
}

void SampleSource::append_part(const Piece& piece, size_t number, const Part& part,
                               std::vector<int32_t>& text) const {
    const Source& source = sources_[piece.source];
    const ShardVocabulary& vocabulary = source.shard.shard->vocabulary();
    if (part.opened && text.size() < length_) text.push_back(vocabulary.bos);
    const uint64_t room = length_ - text.size();
    std::vector<int32_t> tokens =
        source.shard.shard->read(part.document, part.begin, std::min(part.count, room));
    const uint64_t draws = 3 * number;
    const bool has_text = tokens.size() > 1 || (!tokens.empty() && tokens[0] != vocabulary.eos);
    if (room > kGapTokens && has_text &&
        draw_uniform(seed_ ^ kGapStream, piece.number, draws) < source.shard.fim) {
        if (tokens.back() == vocabulary.eos) tokens.pop_back();
        tokens.resize(std::min<uint64_t>(tokens.size(), room - kGapTokens));
        uint64_t first = draw_below(seed_ ^ kGapStream, piece.number, draws + 1, tokens.size() + 1);
        uint64_t last = draw_below(seed_ ^ kGapStream, piece.number, draws + 2, tokens.size() + 1);
        if (first > last) std::swap(first, last);
        tokens = fill_in_middle(vocabulary, tokens, first, last);
    }
    text.insert(text.end(), tokens.begin(), tokens.end());
}

const std::string& SampleSource::document_id(const Piece& piece) const {
    return sources_[piece.source].shard.shard->documents()[parts(piece).front().document].id;
}

size_t SampleSource::pieces() const {
    size_t n = 0;
    for (const Source& source : sources_) n += source.order.size();
    return n;
}

}  // namespace rpt::train
