#include "lab/ways/document_choosers.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "lab/train/counter_random.h"

namespace rpt::ways {
namespace {

std::unique_ptr<const text::Bm25> words_of(std::span<const int32_t> tokens, size_t m) {
    std::vector<std::span<const int32_t>> chunks;
    for (size_t begin = 0; begin + m <= tokens.size(); begin += m)
        chunks.push_back(tokens.subspan(begin, m));
    return std::make_unique<const text::Bm25>(chunks);
}

}  // namespace

WordChooser::WordChooser(std::vector<int32_t> tokens, size_t m)
    : tokens_(std::move(tokens)), words_(words_of(tokens_, m)) {}

std::vector<reader::Found> WordChooser::choose(const reader::ChunkQuestion& question,
                                               const reader::RetrieveOptions& options,
                                               const CallControl& /*control*/) const {
    RPT_CHECK(question.end <= tokens_.size());
    const size_t n = std::min(reader::kMassQueries, question.end);
    const std::span<const int32_t> asking = std::span(tokens_).subspan(question.end - n, n);
    std::vector<reader::Found> found;
    for (const text::Bm25::Scored& one : words_->top(asking, question.own_last + 1, options.k))
        found.push_back({true, static_cast<uint64_t>(one.chunk), one.score});
    return found;
}

FutureChooser::FutureChooser(std::shared_ptr<const reader::ChunkChooser> chooser,
                             std::vector<float> queries, size_t width)
    : chooser_(std::move(chooser)), queries_(std::move(queries)), width_(width) {}

std::vector<reader::Found> FutureChooser::choose(const reader::ChunkQuestion& question,
                                                 const reader::RetrieveOptions& options,
                                                 const CallControl& control) const {
    const size_t size = queries_.size() / width_;
    RPT_CHECK(question.end <= size);
    const size_t n = std::min(reader::kMassQueries, size - question.end);
    reader::ChunkQuestion later = question;
    later.queries = std::span(queries_).subspan(question.end * width_, n * width_);
    return chooser_->choose(later, options, control);
}

std::vector<float> pointer_queries(const engine::Engine& engine, std::span<const int32_t> tokens) {
    std::vector<float> all, keys, queries;
    std::vector<float> logits(static_cast<size_t>(engine.config().vocab));
    const auto stream = engine.new_stream();
    while (stream->position() < tokens.size()) {
        const std::span<const int32_t> rest = tokens.subspan(stream->position());
        const auto closed =
            stream->advance_lower(rest.first(std::min(rest.size(), stream->room())));
        for (const engine::EncodedChunk& chunk : closed) stream->set_neighbours(chunk.index, {});
        stream->advance_upper(logits);
        stream->pointers(keys, queries);
        all.insert(all.end(), queries.begin(), queries.end());
    }
    return all;
}

std::vector<reader::Found> RandomChooser::choose(const reader::ChunkQuestion& question,
                                                 const reader::RetrieveOptions& options,
                                                 const CallControl& /*control*/) const {
    std::vector<reader::Found> found;
    for (int64_t chunk = 0; chunk <= question.own_last; ++chunk) {
        const double drawn = train::draw_uniform(seed_, question.end, static_cast<uint64_t>(chunk));
        found.push_back({true, static_cast<uint64_t>(chunk), static_cast<float>(drawn)});
    }
    std::ranges::sort(found, [](const reader::Found& a, const reader::Found& b) {
        return a.score != b.score ? a.score > b.score : a.id < b.id;
    });
    if (found.size() > options.k) found.resize(options.k);
    return found;
}

std::vector<reader::Found> TurnedChooser::choose(const reader::ChunkQuestion& question,
                                                 const reader::RetrieveOptions& options,
                                                 const CallControl& control) const {
    if (chooser_ == nullptr) return {};
    reader::RetrieveOptions asked = options;
    if (k_ != 0) asked.k = k_;
    return chooser_->choose(question, asked, control);
}

}  // namespace rpt::ways
