// One search over a session's own past and the spaces it may read, and what the search found made
// ready for the model.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/reader/own_past.h"
#include "core/reader/retrieval.h"

namespace rpt::reader {

using Query = std::span<const float>;  // [d]

// A place in the merged order: score descending; at equal scores the own past first, by number,
// then chunk ids.
struct Found {
    bool own = false;
    uint64_t id = 0;  // of the chunk in the store, or the number of the own chunk
    float score = 0;
};

// Neighbours of one chunk and what keeps their numbers alive.
class NeighbourSet {
  public:
    void add(storage::HitStates states, float score);
    void add(std::vector<float> chunk, std::vector<float> successor, float score);
    // Borrowed from this object.
    std::vector<engine::Neighbour> neighbours() const;
    size_t size() const { return held_.size(); }

  private:
    struct Held {
        storage::HitStates states;
        float score;
    };
    std::vector<Held> held_;
};

// Borrows engine, store and spaces. One thread at a time.
class MemorySearch {
  public:
    // `store` may be null if there are no spaces.
    MemorySearch(const engine::Engine& engine, storage::Store* store,
                 std::span<const std::shared_ptr<storage::Space>> spaces)
        : engine_(engine), store_(store), spaces_(spaces) {}

    // Best k (0: the model's K) for `queries`, which share the places evenly and never take the
    // same chunk twice (the last query has the odd place): of `own` (may be null) only chunks up to
    // `own_last`, none if it is negative; of the spaces what the filter lets through. Half of the
    // places are the own past's if it can fill them, whatever the spaces' scores are: many
    // strange chunks hold some that match better and help less (docs/reading.md). min_score counts
    // for both, the cap per document for the spaces alone; under a cap the last query asks alone.
    std::vector<Found> find(std::span<const Query> queries, int64_t own_last, const OwnPast* own,
                            const RetrieveOptions& options, const CallControl& control) const;
    // What is read: the same, but of several queries the first is a question. Where a chunk of the
    // spaces stands out as its answer, with a lead over the second that is more than that one's
    // over the eighth, it is all that is found: a reader with eight chunks before it reads less of
    // each (docs/reading.md).
    std::vector<Found> find_to_read(std::span<const Query> queries, int64_t own_last,
                                    const OwnPast* own, const RetrieveOptions& options,
                                    const CallControl& control) const;
    // As people want it told; entries of `found` that were deleted meanwhile are dropped from both
    // lists. `text` is the session's, for own chunks.
    std::vector<RetrievedChunk> describe(std::vector<Found>& found, const OwnPast* own,
                                         std::string_view text,
                                         const RetrieveOptions& options) const;
    // A stored chunk told; nothing if it was deleted meanwhile.
    std::optional<RetrievedChunk> describe_stored(uint64_t chunk,
                                                  const RetrieveOptions& options) const;
    // States for the model. What was deleted meanwhile is dropped from `found`, and from `told`
    // unless it is null.
    NeighbourSet load(std::vector<Found>& found, const OwnPast* own,
                      std::vector<RetrievedChunk>* told) const;

  private:
    // The best for one query, sorted: `wanted` of the own past and `wanted` of the spaces.
    std::vector<Found> candidates(Query query, size_t wanted, int64_t own_last, const OwnPast* own,
                                  const RetrieveOptions& options, const CallControl& control) const;
    std::vector<Found> share_places(std::span<const Query> queries, bool to_read, int64_t own_last,
                                    const OwnPast* own, const RetrieveOptions& options,
                                    const CallControl& control) const;
    // States that a budget took from the disk are made again.
    void restore(storage::HitStates& states, const storage::Hit& hit) const;

    const engine::Engine& engine_;
    storage::Store* store_;
    std::span<const std::shared_ptr<storage::Space>> spaces_;
};

}  // namespace rpt::reader
