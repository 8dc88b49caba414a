// How well the model expects a text after the session's content.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "core/reader/session_impl.h"
#include "core/text/utf8_gate.h"

namespace rpt::reader {

namespace {

// Gathers counted tokens by the chunk they lie in.
class ChunkTally {
  public:
    ChunkTally(size_t m, uint64_t text_begin, const Sequence& sequence,
               const std::function<void(const ScoredChunk&)>& by_chunk)
        : m_(m), text_begin_(text_begin), sequence_(sequence), by_chunk_(by_chunk) {}

    // The token at input position `position`, predicted under `hits`.
    void count(size_t position, double nats) {
        if (position / m_ != chunk_) close();
        chunk_ = position / m_;
        ++scored_.tokens;
        scored_.nats += nats;
        last_ = position;
    }
    void set_hits(std::vector<RetrievedChunk> hits) {
        close();
        hits_ = std::move(hits);
    }
    void close() {
        if (scored_.tokens == 0) return;
        const ByteSpan bytes = sequence_.bytes(chunk_ * m_, last_ + 1);
        scored_.bytes = {std::max(bytes.begin, text_begin_), bytes.end};
        scored_.hits = &hits_;
        if (by_chunk_) by_chunk_(scored_);
        scored_ = {};
    }

  private:
    size_t m_;
    uint64_t text_begin_;
    const Sequence& sequence_;
    const std::function<void(const ScoredChunk&)>& by_chunk_;
    ScoredChunk scored_;
    std::vector<RetrievedChunk> hits_;
    size_t chunk_ = 0, last_ = 0;
};

}  // namespace

Score Session::score(std::string_view text, bool no_memory, const CallControl& control,
                     const std::function<void(const ScoredChunk&)>& by_chunk) {
    Impl& impl = *impl_;
    impl.require_whole_code_points("score");
    if (const size_t valid = text::valid_utf8_prefix(text); valid != text.size())
        throw Error(Status::kUtf8, "rpt",
                    "score: invalid utf-8 at byte " + std::to_string(valid) + " of the text",
                    int64_t(valid));
    control.check();
    const std::unique_ptr<engine::Stream> stream = impl.stream_at_target(control);

    Score score;
    score.bytes = text.size();
    const uint64_t begin = impl.sequence_.text.size();
    const Impl::Aside aside(impl);
    Sequence& sequence = impl.sequence_;
    text::IncrementalEncoder encoder = impl.encoder_;
    std::vector<text::Token> tokens;
    encoder.append(text, tokens);
    encoder.finish(tokens);
    sequence.text += text;
    for (const text::Token& token : tokens) sequence.push(token.id, token.size);

    const size_t m = size_t(impl.engine_->config().chunk);
    ChunkTally tally(m, begin, sequence, by_chunk);
    const ChunkFeeder pieces = impl.feeder();
    const MemoryUse use{no_memory ? nullptr : &impl.options_.retrieve, bool(by_chunk)};
    std::vector<float> logits(size_t(impl.engine_->config().vocab));
    std::vector<float> log_probs(size_t(impl.engine_->config().stride));
    const size_t last = sequence.size() - 1;  // is predicted, never fed
    while (stream->position() < last) {
        control.report(stream->position(), last);
        Piece piece = pieces.advance_lower(*stream, sequence, last, use, control);
        const size_t n = piece.end - piece.begin;
        stream->advance_upper_scored(sequence.ids().subspan(piece.begin + 1, n),
                                     std::span(log_probs).first(n), logits);
        auto chunk = piece.closed.begin();
        for (size_t i = 0; i < n; ++i) {
            const size_t position = piece.begin + 1 + i;
            if (chunk != piece.closed.end() && chunk->end == position) {
                // The first token behind a chunk is the first that its neighbours shape.
                score.retrievals += chunk->searched;
                tally.set_hits(std::move(chunk->hits));
                ++chunk;
            }
            if (sequence.end_of(position) <= begin) continue;
            ++score.tokens;
            score.nats -= double(log_probs[i]);
            tally.count(position, -double(log_probs[i]));
        }
    }
    tally.close();
    return score;
}

}  // namespace rpt::reader
