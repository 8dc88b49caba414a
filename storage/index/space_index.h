// The published index of one space: loaded when first asked for, kept up with the database, rebuilt
// when it grew.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "storage/index/key_source.h"
#include "storage/index/snapshot.h"

namespace rpt::storage {

inline constexpr size_t kIndexFileRows = 1024;  // smaller indexes load from the database as fast

// What one commit did to the visible chunks of a space, and the state it left.
struct IndexChange {
    uint64_t old_generation = 0;
    SpaceMark now;
    std::vector<uint64_t> removed;
    std::shared_ptr<const KeyRows> added;  // null: none
};

// Shared by threads. Readers take the pointer and never wait for a writer's work.
class SpaceIndex {
  public:
    // `cache_file` may be absent on disk, and stays so.
    SpaceIndex(uint64_t space, uint32_t dim, uint32_t flat_limit, std::string cache_file);

    uint64_t space() const { return space_; }
    const std::string& cache_file() const { return cache_file_; }
    // The last published state, or null before the first load.
    std::shared_ptr<const Snapshot> current() const;
    // A state at least as new as `mark`, read from `keys` if need be. kCorrupt if the database
    // contradicts itself.
    std::shared_ptr<const Snapshot> at(KeySource& keys, const SpaceMark& mark);
    // The writer's short cut after a commit; nothing if the index is not loaded or not at the old
    // generation.
    void apply(const IndexChange& change_of_commit);
    // Forgets everything; the next at() reads the database.
    void forget();

    bool wants_build() const;
    bool has_dead_rows() const;
    // Merges and builds a graph over what has none, or over everything. Takes long; searches go on
    // meanwhile. False if `stop` became true.
    bool build(bool everything, unsigned threads, const std::atomic<bool>& stop);
    // Best effort, see write_index_cache(). The generation written, 0 if nothing was.
    uint64_t save_cache();
    // The file is of the last published state.
    bool is_saved() const;
    // Before a commit that deletes: old keys must not outlive it.
    void remove_cache_file();

  private:
    std::shared_ptr<const Snapshot> refreshed(KeySource& keys, const SpaceMark& mark);
    void publish(std::shared_ptr<const Snapshot> snapshot);
    // Publishes what `work` makes of the current state, unless it returns false. It works without
    // the lock, since a thread that loses its processor there would stop every search, and again on
    // a newer state where another was published meanwhile; with the lock only where that goes on.
    // False if nothing was published.
    bool change(const std::function<bool(Snapshot&)>& work);

    const uint64_t space_;
    const uint32_t dim_;
    const uint32_t flat_limit_;
    const std::string cache_file_;
    mutable std::mutex mutex_;  // guards current_; held for pointer swaps
    std::shared_ptr<const Snapshot> current_;
    std::mutex load_mutex_;   // one thread loads, the others wait for its result
    std::mutex build_mutex_;  // one build at a time
    std::mutex save_mutex_;   // one thread writes the file
    std::atomic<uint64_t> saved_generation_{0};
    std::atomic<uint64_t> removals_{0};  // of the file
};

}  // namespace rpt::storage
