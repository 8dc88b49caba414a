#include "core/reader/chunk_feeder.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "core/model/reading.h"

namespace rpt::reader {

ChunkFeeder::ChunkFeeder(const engine::Engine& engine, storage::Store* store,
                         std::span<const std::shared_ptr<storage::Space>> spaces, OwnPast* own)
    : engine_(engine), search_(engine, store, spaces), own_(own) {}

std::vector<Found> ChunkFeeder::find(const engine::EncodedChunk& chunk, size_t end,
                                     const MemoryUse& use, const CallControl& control) const {
    const int64_t own_last =
        use.own_last.value_or(model::last_retrievable(engine_.config(), int64_t(chunk.index)));
    if (use.by_mass) {
        const ByMass& by = *use.by_mass;
        RPT_CHECK(by.queries->end() + 1 == end);
        return by.chooser->choose(
            {by.queries->last(kMassQueries), by.queries->end(), by.own, own_last}, *use.retrieve,
            control);
    }
    std::vector<Query> queries;
    if (use.question && use.question->end == end) queries.emplace_back(use.question->query);
    queries.emplace_back(chunk.query);
    return search_.find_to_read(queries, own_last, own_, *use.retrieve, control);
}

Piece ChunkFeeder::advance_lower(engine::Stream& stream, const Sequence& sequence, size_t end,
                                 const MemoryUse& use, const CallControl& control) const {
    const size_t m = size_t(engine_.config().chunk);
    Piece piece;
    piece.begin = size_t(stream.position());
    piece.end = std::min(end, piece.begin + stream.room());
    if (use.by_mass) piece.end = std::min(piece.end, (piece.begin + 1) / m * m + m - 1);
    RPT_CHECK(piece.end > piece.begin && piece.end <= sequence.size());
    control.check();
    std::vector<engine::EncodedChunk> chunks =
        stream.advance_lower(sequence.ids().subspan(piece.begin, piece.end - piece.begin));
    for (engine::EncodedChunk& chunk : chunks) {
        const size_t first = size_t(chunk.index) * m;
        if (own_ != nullptr && !use.own_last) own_->append(chunk, sequence.bytes(first, first + m));
        ClosedChunk closed;
        closed.end = first + m;
        NeighbourSet set;
        if (use.retrieve != nullptr && (use.by_mass || !chunk.query.empty())) {
            std::vector<Found> found = find(chunk, closed.end, use, control);
            if (use.tell) closed.hits = search_.describe(found, own_, sequence.text, *use.retrieve);
            set = search_.load(found, own_, use.tell ? &closed.hits : nullptr);
            closed.searched = true;
        }
        const std::vector<engine::NeighbourUse> uses =
            stream.set_neighbours(chunk.index, set.neighbours());
        for (size_t i = 0; i < std::min(uses.size(), closed.hits.size()); ++i) {
            closed.hits[i].gate = uses[i].gate;
            closed.hits[i].reading = use.by_mass ? model::kReadUpper : model::kReadCca;
        }
        closed.query = std::move(chunk.query);
        piece.closed.push_back(std::move(closed));
    }
    return piece;
}

}  // namespace rpt::reader
