// How well the model expects a text after the session's content.
#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "core/reader/pasted_context.h"
#include "core/reader/session_impl.h"
#include "core/text/utf8_gate.h"

namespace rpt::reader {

namespace {

// Gathers counted tokens by the chunk they lie in.
class ChunkTally {
  public:
    // `past` is the session's own text, in order.
    ChunkTally(size_t m, uint64_t text_begin, const Sequence& sequence, const Sequence& past,
               const MemorySearch& search, const std::function<void(const ScoredChunk&)>& by_chunk)
        : m_(m),
          text_begin_(text_begin),
          sequence_(sequence),
          past_(past),
          search_(search),
          by_chunk_(by_chunk) {}

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
    // What the chunk of these tokens is copied from is counted here, before count().
    CopyTally& copies(size_t position) {
        const auto [at, fresh] = copies_.try_emplace(position / m_);
        return at->second;
    }
    void close() {
        if (scored_.tokens == 0) return;
        const size_t n_hits = hits_.size();
        if (const auto at = copies_.find(chunk_); at != copies_.end()) {
            for (RetrievedChunk& one : at->second.take(search_, past_, m_, {}))
                hits_.push_back(std::move(one));
            copies_.erase(at);
        }
        const ByteSpan bytes = sequence_.bytes(chunk_ * m_, last_ + 1);
        scored_.bytes = {std::max(bytes.begin, text_begin_), bytes.end};
        scored_.hits = &hits_;
        if (by_chunk_) by_chunk_(scored_);
        hits_.resize(n_hits);
        scored_ = {};
    }

  private:
    size_t m_;
    uint64_t text_begin_;
    const Sequence& sequence_;
    const Sequence& past_;
    const MemorySearch& search_;
    const std::function<void(const ScoredChunk&)>& by_chunk_;
    ScoredChunk scored_;
    std::vector<RetrievedChunk> hits_;
    std::map<size_t, CopyTally> copies_;  // by chunk
    size_t chunk_ = 0, last_ = 0;
};

// The upper half over the tokens of the last advance_lower(), with what is copied mixed in:
// log-probability of `next[i]` after token i. `aside` as Session::Impl::use_of() has it, `tallies`
// as CopyReader::mix_scored() has them.
void advance_and_copy(Session::Impl& impl, engine::Stream& stream,
                      Session::Impl::AsideReading* aside, std::span<const int32_t> next,
                      std::span<float> log_probs, std::span<CopyTally* const> tallies,
                      const CallControl& control) {
    std::vector<double> entropies(next.size());
    const size_t vocab = size_t(impl.engine_->config().vocab);
    const uint64_t begin = stream.position() - next.size();
    stream.advance_upper_rows([&](size_t first, std::span<const float> logits) {
        for (size_t i = 0; i * vocab < logits.size(); ++i) {
            const std::span<const float> row = logits.subspan(i * vocab, vocab);
            const LogitFacts facts = facts_of(row);
            entropies[first + i] = facts.entropy;
            log_probs[first + i] =
                static_cast<float>(double(row[size_t(next[first + i])]) - facts.log_sum);
        }
    });
    const std::vector<float> queries = impl.keep_pointers(stream, aside);
    impl.copy_->look(impl.own_pointers_.get(), impl.sequence_.ids(), impl.own_places(begin, aside),
                     {}, control);
    impl.copy_->mix_scored(queries, next, entropies, log_probs, tallies, control);
}

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
    Score score;
    score.bytes = text.size();
    const uint64_t begin = impl.sequence_.text.size();
    text::IncrementalEncoder encoder = impl.encoder_;
    std::vector<text::Token> tokens;
    encoder.append(text, tokens);
    encoder.finish(tokens);

    std::optional<PastedContext> pasted;
    std::optional<Impl::AsideReading> reading;  // of what is pasted
    if (impl.reads(kReadText) && !no_memory) {
        const size_t tail = impl.encoder_.peek().size();
        pasted = paste_context(impl, impl.options_.retrieve, false,
                               tokens.size() - std::min(tokens.size(), tail), control);
        reading = impl.reading_of_aside(pasted->aside, control);
        ++score.retrievals;
    }
    Impl::AsideReading* const beside = reading ? &*reading : nullptr;
    const std::unique_ptr<engine::Stream> stream =
        pasted ? impl.engine_->new_stream() : impl.stream_at_target(control);
    const Impl::Aside aside(impl);
    Sequence& sequence = pasted ? pasted->aside.sequence : impl.sequence_;
    sequence.text += text;
    for (const text::Token& token : tokens) sequence.push(token.id, token.size);

    const size_t m = size_t(impl.engine_->config().chunk);
    const ChunkFeeder pieces = impl.feeder();
    ChunkTally tally(m, begin, sequence, impl.sequence_, pieces.search(), by_chunk);
    if (pasted) tally.set_hits(std::move(pasted->chunks));
    const MemoryUse use =
        no_memory ? MemoryUse{} : impl.use_of(impl.options_.retrieve, bool(by_chunk), beside);
    const bool copies = impl.reads(kReadCopy) && !no_memory;
    std::vector<float> logits(size_t(impl.engine_->config().vocab));
    std::vector<float> log_probs(size_t(impl.engine_->config().stride));
    const size_t last = sequence.size() - 1;  // is predicted, never fed
    while (stream->position() < last) {
        control.report(stream->position(), last);
        Piece piece = pieces.advance_lower(*stream, sequence, last, use, control);
        const size_t n = piece.end - piece.begin;
        const std::span<const int32_t> next = sequence.ids().subspan(piece.begin + 1, n);
        const std::span<float> gained = std::span(log_probs).first(n);
        if (copies) {
            std::vector<CopyTally*> tallies;
            for (size_t i = 0; by_chunk && i < n; ++i)
                tallies.push_back(sequence.end_of(piece.begin + 1 + i) <= begin
                                      ? nullptr
                                      : &tally.copies(piece.begin + 1 + i));
            advance_and_copy(impl, *stream, beside, next, gained, tallies, control);
        } else {
            stream->advance_upper_scored(next, gained, logits);
            if (use.by_mass) impl.keep_pointers(*stream, beside);
        }
        auto chunk = piece.closed.begin();
        for (size_t i = 0; i < n; ++i) {
            const size_t position = piece.begin + 1 + i;
            if (chunk != piece.closed.end() && chunk->end == position) {
                // The first token behind a chunk is the first that its neighbours shape.
                score.retrievals += chunk->searched;
                if (chunk->searched || !pasted) tally.set_hits(std::move(chunk->hits));
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
