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

#include <sys/types.h>

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
    // `cache_file` may be absent on disk, and stays so; it is made with the rights `file_mode`.
    SpaceIndex(uint64_t space, uint32_t dim, uint32_t flat_limit, std::string cache_file,
               mode_t file_mode);

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
    // Writes the file anew if it is so far behind the last published state that catching up would
    // cost the next process more: what it lacks is in the database. `spare_disk`: never two files
    // at once, so that a process that is killed meanwhile leaves none. Best effort, see
    // write_index_cache(). The generation of the file, 0 if there is none.
    uint64_t save_cache(bool spare_disk);
    // The file may hold keys of chunks that are gone.
    bool file_holds_gone_keys() const { return file_holds_gone_; }
    void remove_cache_file();

  private:
    // The file's state is so many rows behind, of which some are gone.
    void note_change(size_t added, size_t removed);
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
    const mode_t file_mode_;
    mutable std::mutex mutex_;  // guards current_; held for pointer swaps
    std::shared_ptr<const Snapshot> current_;
    std::mutex load_mutex_;                      // one thread loads, the others wait for its result
    std::mutex build_mutex_;                     // one build at a time
    std::mutex save_mutex_;                      // one thread writes the file
    std::atomic<uint64_t> saved_generation_{0};  // of the file; 0: none
    std::atomic<uint64_t> rows_behind_{0};       // that came or went since the file's state
    std::atomic<bool> graph_is_new_{false};      // the file lacks it
    std::atomic<bool> file_holds_gone_{false};
    std::atomic<uint64_t> gone_{0};      // changes that took rows away
    std::atomic<uint64_t> removals_{0};  // of the file
};

}  // namespace rpt::storage
