// Inverted indexes of spaces in memory, kept up with the database.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "base/cancel.h"
#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/sqlite_connection.h"
#include "storage/words/word_search.h"

namespace rpt::storage {

// Shared by threads. One thread at a time reads a space from the database, the others who want it
// wait; nobody waits for the reading of another space.
class WordCache {
  public:
    // `limit_bytes` for all spaces together; the space used least recently goes first, and the last
    // one stays however large it is: its texts are read but once.
    explicit WordCache(uint64_t limit_bytes) : limit_(limit_bytes) {}

    // The space at least as new as `row`, whose transaction `connection` is in. Only segments that
    // are new to the last snapshot are read. kCorrupt, kCancelled.
    std::shared_ptr<const WordSnapshot> at(Connection& connection, const SpaceRow& row,
                                           const CallControl& control);
    void drop(uint64_t space);
    void clear();
    uint64_t bytes() const;

  private:
    struct Space {
        std::mutex load_mutex;
        std::shared_ptr<const WordSnapshot> kept;  // guarded by mutex_
        uint64_t used = 0;                         // likewise
    };
    static std::shared_ptr<const WordSnapshot> read(
        Connection& connection, const SpaceRow& row, const CallControl& control,
        const std::shared_ptr<const WordSnapshot>& base);
    void publish(Space& space, std::shared_ptr<const WordSnapshot> snapshot);

    const uint64_t limit_;
    mutable std::mutex mutex_;  // guards spaces_ and their members
    std::map<uint64_t, std::shared_ptr<Space>> spaces_;
    uint64_t clock_ = 0;
};

}  // namespace rpt::storage
