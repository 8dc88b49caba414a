#include "core/reader/pasted_context.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"

namespace rpt::reader {
namespace {

using ChunkName = std::pair<bool, uint64_t>;               // own, number: stored chunks come first
using Pasted = std::map<ChunkName, std::vector<int32_t>>;  // tokens

// What chunks of the session's own past and of its spaces are made of.
class ChunkSource {
  public:
    ChunkSource(const Session::Impl& session, const CallControl& control)
        : session_(session), search_(*session.engine_, session.store_.get(), session.spaces_) {
        for (const auto& space : session.spaces_)
            snapshots_.push_back(session.store_->pointers(space, control));
    }

    // The chunk and its successor. Those that are gone have no tokens; no begin token.
    Pasted pair_of(const Found& found) const {
        Pasted pair;
        pair[{found.own, found.id}] = tokens_of(found.own, found.id);
        const uint64_t next = found.own ? found.id + 1 : stored_successor(found);
        if (found.own || next != 0) pair[{found.own, next}] = tokens_of(found.own, next);
        return pair;
    }
    // As people want it told; nothing if it was deleted meanwhile.
    std::optional<RetrievedChunk> told(const Found& found, const RetrieveOptions& options) const {
        std::optional<RetrievedChunk> chunk;
        if (found.own) {
            const size_t m = size_t(session_.engine_->config().chunk), begin = size_t(found.id) * m;
            const Sequence& sequence = session_.sequence_;
            chunk.emplace();
            chunk->own = true;
            chunk->info.ordinal = found.id;
            chunk->info.bytes = sequence.bytes(begin, begin + m);
            chunk->info.next_bytes = sequence.bytes(begin + m, begin + 2 * m);
            if (options.with_text) {
                const auto cut = [&](ByteSpan bytes) {
                    return sequence.text.substr(bytes.begin, bytes.size());
                };
                chunk->text = cut(chunk->info.bytes);
                chunk->next_text = cut(chunk->info.next_bytes);
            }
        } else {
            chunk = search_.describe_stored(found.id, options);
        }
        if (!chunk) return chunk;
        chunk->score = found.score;
        chunk->reading = kReadText;
        return chunk;
    }

  private:
    std::vector<int32_t> tokens_of(bool own, uint64_t chunk) const {
        if (own) {
            const size_t m = size_t(session_.engine_->config().chunk);
            return without_begin(session_.sequence_.ids().subspan(size_t(chunk) * m, m));
        }
        for (const auto& snapshot : snapshots_) {
            const auto found = std::ranges::lower_bound(
                snapshot->parts, chunk, {},
                [](const storage::PointerSnapshot::Part& part) { return part.chunk(); });
            if (found != snapshot->parts.end() && found->chunk() == chunk)
                return without_begin(found->rows().tokens);
        }
        return {};
    }
    uint64_t stored_successor(const Found& found) const {
        const storage::Hit hit{found.id, found.score};
        return session_.store_->load_states({&hit, 1}).front().successor_id;
    }
    std::vector<int32_t> without_begin(std::span<const int32_t> ids) const {
        std::vector<int32_t> out(ids.begin(), ids.end());
        std::erase(out, session_.engine_->tokenizer()->bos());
        return out;
    }

    const Session::Impl& session_;
    MemorySearch search_;
    std::vector<std::shared_ptr<const storage::PointerSnapshot>> snapshots_;
};

// What the session holds goes through the model, so that its last tokens can ask.
void read_to_end(Session::Impl& session, engine::Stream& stream, const RetrieveOptions& options,
                 const CallControl& control) {
    const ChunkFeeder pieces = session.feeder();
    const MemoryUse use = session.use_of(options, false);
    std::vector<float> logits(size_t(session.engine_->config().vocab));
    while (stream.position() < session.sequence_.size()) {
        pieces.advance_lower(stream, session.sequence_, session.sequence_.size(), use, control);
        stream.advance_upper(logits);
        session.keep_pointers(stream);
    }
}

// The session's part are the positions [first, end).
AsideContext join(const Session::Impl& session, const Pasted& pasted, size_t first, size_t end) {
    const Sequence& all = session.sequence_;
    AsideContext aside{Sequence(session.engine_->tokenizer()->bos()), {}, 0};
    for (const auto& [name, tokens] : pasted)
        for (const int32_t id : tokens) aside.sequence.push(id, 0);
    aside.begin = all.end_of(first - 1);
    for (size_t i = first; i < end; ++i) {
        // the last one ends where the session's tokens do: what is scored behind it has its bytes
        aside.sequence.push(all.ids()[i], i + 1 == end ? all.end_of(i) : 0);
        aside.recent.push_back(all.ids()[i]);
    }
    aside.sequence.text = all.text;
    return aside;
}

}  // namespace

PastedContext paste_context(Session::Impl& session, const RetrieveOptions& options, bool with_tail,
                            size_t answer, const CallControl& control) {
    const size_t m = size_t(session.engine_->config().chunk),
                 stride = size_t(session.engine_->config().stride);
    const std::unique_ptr<engine::Stream> stream = session.stream_at_target(control);
    const Session::Impl::Aside aside(session);
    Sequence& sequence = session.sequence_;
    const size_t n_final = sequence.size();
    for (const text::Token& token : session.encoder_.peek()) sequence.push(token.id, token.size);
    const size_t n = sequence.size(), room = 2 * stride - 1 - std::min(answer, stride / 2);
    if (n == 1) return {join(session, {}, 1, 1), {}};
    read_to_end(session, *stream, options, control);

    const size_t least_own = n - std::min(n - 1, room - room / 2);  // position where it begins
    const std::vector<Found> found = session.chooser_->choose(
        {session.asked_.last(kMassQueries), session.asked_.end(), session.own_pointers_.get(),
         static_cast<int64_t>(least_own / m) - 2},
        options, control);
    const ChunkSource source(session, control);
    Pasted pasted;
    std::vector<RetrievedChunk> told;
    size_t n_pasted = 0, own_end = 1;  // own_end: position behind the last chunk of the own past
    for (const Found& one : found) {
        Pasted pair = source.pair_of(one);
        std::erase_if(pair, [&](const auto& entry) {
            return entry.second.empty() || pasted.contains(entry.first);
        });
        size_t more = 0;
        for (const auto& [name, tokens] : pair) more += tokens.size();
        if (n_pasted + more > room / 2) break;
        std::optional<RetrievedChunk> chunk = source.told(one, options);
        if (!chunk) continue;
        n_pasted += more;
        pasted.merge(pair);
        if (one.own) own_end = std::max(own_end, size_t(one.id + 2) * m);
        told.push_back(std::move(*chunk));
    }
    // Where the tail is long, one token at least that is final: it tells where the tail begins.
    const size_t end = with_tail ? n : n_final;
    const size_t first = std::min(std::max({size_t{1}, n - std::min(n, room - n_pasted), own_end}),
                                  std::max<size_t>(1, end - 1));
    return {join(session, pasted, first, end), std::move(told)};
}

}  // namespace rpt::reader
