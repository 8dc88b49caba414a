#include "core/reader/memory_search.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "core/reader/segment_encoder.h"

namespace rpt::reader {

namespace {

// Text of a stored chunk; none if the document's text was discarded or it was deleted meanwhile.
std::string stored_text(storage::Store& store, uint64_t chunk_id, bool successor) {
    try {
        return store.read_hit_text(chunk_id, successor);
    } catch (const Error& error) {
        if (error.status() == Status::kUnsupported || error.status() == Status::kNotFound)
            return {};
        throw;
    }
}

std::string own_text(std::string_view text, ByteSpan bytes) {
    const uint64_t begin = std::min<uint64_t>(bytes.begin, text.size());
    return std::string(text.substr(begin, std::min<uint64_t>(bytes.end, text.size()) - begin));
}

}  // namespace

void NeighbourSet::add(storage::HitStates states, float score) {
    held_.push_back({std::move(states), score});
}

void NeighbourSet::add(std::vector<float> chunk, std::vector<float> successor, float score) {
    held_.push_back({{std::make_shared<const std::vector<float>>(std::move(chunk)),
                      std::make_shared<const std::vector<float>>(std::move(successor))},
                     score});
}

std::vector<engine::Neighbour> NeighbourSet::neighbours() const {
    std::vector<engine::Neighbour> out;
    for (const auto& [states, score] : held_) {
        engine::Neighbour neighbour{*states.chunk, {}, score};
        if (states.successor) neighbour.successor = *states.successor;
        out.push_back(neighbour);
    }
    return out;
}

namespace {

constexpr size_t kCompared = 8;  // hits that tell whether the first stands out

bool comes_first(const Found& a, const Found& b) {
    if (a.score != b.score) return a.score > b.score;
    if (a.own != b.own) return a.own;
    return a.id < b.id;
}

size_t count_own(const std::vector<Found>& found) {
    return static_cast<size_t>(
        std::count_if(found.begin(), found.end(), [](const Found& one) { return one.own; }));
}

struct Places {
    size_t all = 0, own = 0;  // own: kept for the own past
};

// Leaves the best of `found`, sorted, that are not among `taken`: as many as there are places.
void choose(Places places, const std::vector<Found>& taken, std::vector<Found>& found) {
    std::erase_if(found, [&](const Found& one) {
        return std::any_of(taken.begin(), taken.end(), [&](const Found& other) {
            return other.own == one.own && other.id == one.id;
        });
    });
    const size_t spaces = places.all - std::min(count_own(found), places.own);
    size_t seen = 0;
    std::erase_if(found, [&](const Found& one) { return !one.own && ++seen > spaces; });
    if (found.size() > places.all) found.resize(places.all);
}

// Whether the first of `found`, sorted, is a stored chunk that leads by more than the second leads
// over the last that is compared.
bool stands_out(const std::vector<Found>& found) {
    if (found.size() < kCompared || found[0].own) return false;
    return found[0].score - found[1].score > found[1].score - found[kCompared - 1].score;
}

}  // namespace

std::vector<Found> MemorySearch::candidates(Query query, size_t wanted, int64_t own_last,
                                            const OwnPast* own, const RetrieveOptions& options,
                                            const CallControl& control) const {
    std::vector<Found> found;
    if (own != nullptr) {
        for (const OwnPast::Scored& scored : own->search(query, own_last, wanted))
            if (!options.filter.min_score || scored.score >= *options.filter.min_score)
                found.push_back({true, scored.chunk, scored.score});
    }
    if (!spaces_.empty()) {
        storage::SearchFilter filter = options.filter;
        filter.weigh_by_idf = engine_.config().key_features > 0;
        for (const storage::Hit& hit : store_->search(spaces_, query, wanted, filter, control))
            found.push_back({false, hit.chunk_id, hit.score});
    }
    std::sort(found.begin(), found.end(), comes_first);
    return found;
}

std::vector<Found> MemorySearch::find(std::span<const Query> queries, int64_t own_last,
                                      const OwnPast* own, const RetrieveOptions& options,
                                      const CallControl& control) const {
    return share_places(queries, false, own_last, own, options, control);
}

std::vector<Found> MemorySearch::find_to_read(std::span<const Query> queries, int64_t own_last,
                                              const OwnPast* own, const RetrieveOptions& options,
                                              const CallControl& control) const {
    return share_places(queries, true, own_last, own, options, control);
}

std::vector<Found> MemorySearch::share_places(std::span<const Query> queries, bool to_read,
                                              int64_t own_last, const OwnPast* own,
                                              const RetrieveOptions& options,
                                              const CallControl& control) const {
    const size_t k = options.k != 0 ? options.k : size_t(engine_.config().neighbours);
    // two searches could each fill a document's share
    if (options.filter.max_per_document != 0) queries = queries.last(1);
    std::vector<Found> found;
    for (size_t i = 0; i < queries.size(); ++i) {
        const size_t left = queries.size() - i;
        const bool answers = to_read && i == 0 && left > 1;
        const Places places{(k - found.size()) / left,
                            (k / 2 - std::min(k / 2, count_own(found))) / left};
        if (places.all == 0 && !answers) continue;
        std::vector<Found> more =
            candidates(queries[i], std::max(places.all + found.size(), answers ? kCompared : 0),
                       own_last, own, options, control);
        if (answers && stands_out(more)) return {more.front()};
        choose(places, found, more);
        found.insert(found.end(), more.begin(), more.end());
    }
    std::sort(found.begin(), found.end(), comes_first);
    return found;
}

std::optional<RetrievedChunk> MemorySearch::describe_stored(uint64_t id,
                                                            const RetrieveOptions& options) const {
    std::optional<storage::HitInfo> info = store_->describe(id, options.filter);
    if (!info) return std::nullopt;
    RetrievedChunk chunk;
    chunk.info = std::move(*info);
    if (options.with_text) {
        chunk.text = stored_text(*store_, id, false);
        if (!chunk.info.next_bytes.empty()) chunk.next_text = stored_text(*store_, id, true);
    }
    return chunk;
}

std::vector<RetrievedChunk> MemorySearch::describe(std::vector<Found>& found, const OwnPast* own,
                                                   std::string_view text,
                                                   const RetrieveOptions& options) const {
    std::vector<RetrievedChunk> told;
    std::vector<Found> kept;
    for (const Found& one : found) {
        RetrievedChunk chunk;
        chunk.own = one.own;
        chunk.score = one.score;
        if (one.own) {
            chunk.info.ordinal = one.id;
            chunk.info.bytes = own->bytes(one.id);
            if (one.id + 1 < own->size()) chunk.info.next_bytes = own->bytes(one.id + 1);
            if (options.with_text) {
                chunk.text = own_text(text, chunk.info.bytes);
                chunk.next_text = own_text(text, chunk.info.next_bytes);
            }
        } else {
            std::optional<RetrievedChunk> stored = describe_stored(one.id, options);
            if (!stored) continue;
            chunk = std::move(*stored);
            chunk.score = one.score;
        }
        kept.push_back(one);
        told.push_back(std::move(chunk));
    }
    found = std::move(kept);
    return told;
}

NeighbourSet MemorySearch::load(std::vector<Found>& found, const OwnPast* own,
                                std::vector<RetrievedChunk>* told) const {
    std::vector<storage::Hit> hits;
    for (const Found& one : found)
        if (!one.own) hits.push_back({one.id, one.score});
    std::vector<storage::HitStates> stored;
    if (!hits.empty()) stored = store_->load_states(hits);
    NeighbourSet set;
    size_t next_stored = 0, kept = 0;
    for (size_t i = 0; i < found.size(); ++i) {
        if (found[i].own) {
            const uint64_t chunk = found[i].id;
            set.add(own->states(chunk),
                    chunk + 1 < own->size() ? own->states(chunk + 1) : std::vector<float>(),
                    found[i].score);
        } else {
            const storage::Hit& hit = hits[next_stored];
            storage::HitStates states = std::move(stored.at(next_stored++));
            if (states.chunk_dropped != 0 || states.successor_dropped != 0) restore(states, hit);
            if (!states.chunk) continue;
            set.add(std::move(states), found[i].score);
        }
        if (kept != i) {
            found[kept] = found[i];
            if (told != nullptr) (*told)[kept] = std::move((*told)[i]);
        }
        ++kept;
    }
    found.resize(kept);
    if (told != nullptr) told->resize(kept);
    return set;
}

void MemorySearch::restore(storage::HitStates& states, const storage::Hit& hit) const {
    const uint32_t context_tokens = store_->model().context_tokens;
    const SegmentEncoder encoder(engine_, context_tokens);
    for (const uint64_t segment : std::set{states.chunk_dropped, states.successor_dropped}) {
        if (segment == 0) continue;
        // Twice as many as are read: the begin token of earlier segments does not count.
        const auto tokens = store_->read_segment_tokens(segment, 2 * size_t(context_tokens));
        if (!tokens) continue;
        std::vector<std::vector<float>> made;
        for (engine::EncodedChunk& chunk : encoder.again(tokens->context, tokens->tokens))
            made.push_back(std::move(chunk.states));
        const auto restored = store_->restore_states(segment, made);
        for (size_t i = 0; i < restored.size(); ++i) {
            if (tokens->chunks[i] == hit.chunk_id) states.chunk = restored[i];
            if (tokens->chunks[i] == states.successor_id) states.successor = restored[i];
        }
    }
}

}  // namespace rpt::reader
