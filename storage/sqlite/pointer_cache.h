// Pointer keys of spaces in memory, kept up with the database.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "storage/pointer_keys.h"
#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/sqlite_connection.h"

namespace rpt::storage {

// Shared by threads. One thread at a time reads a space from the database, the others who want it
// wait; nobody waits for the reading of another space.
class PointerCache {
  public:
    // `limit_bytes` for the rows of all spaces together; the space used least recently goes first.
    explicit PointerCache(uint64_t limit_bytes) : limit_(limit_bytes) {}

    // The space at least as new as `row`, whose transaction `connection` is in. `width`: numbers of
    // a key. kCorrupt, kCancelled.
    std::shared_ptr<const PointerSnapshot> at(Connection& connection, const SpaceRow& row,
                                              uint32_t width, const CallControl& control);
    // Lets the rows of deleted chunks go.
    void forget(uint64_t space, std::span<const uint64_t> chunks);
    void drop(uint64_t space);
    void clear();
    uint64_t bytes() const;

  private:
    // What follows each segment where it stands first, of one document.
    struct Document {
        uint64_t digest = 0;  // of its places
        std::vector<uint64_t> segments;
    };
    struct Space {
        std::mutex load_mutex;                        // guards documents
        std::map<uint64_t, Document> documents;       // by number, as last read
        std::shared_ptr<const PointerSnapshot> kept;  // null: too large, or another space's turn
        std::weak_ptr<const PointerSnapshot> given;   // the last one
        uint64_t used = 0;
    };
    std::shared_ptr<const PointerSnapshot> last(const Space& space) const;
    static std::shared_ptr<const PointerSnapshot> read(
        Connection& connection, const SpaceRow& row, uint32_t width, const CallControl& control,
        const std::shared_ptr<const PointerSnapshot>& base,
        std::map<uint64_t, Document>& documents);
    void publish(Space& space, std::shared_ptr<const PointerSnapshot> snapshot);

    const uint64_t limit_;
    mutable std::mutex mutex_;  // guards spaces_ and all of their members but documents
    std::map<uint64_t, std::shared_ptr<Space>> spaces_;
    uint64_t clock_ = 0;
};

}  // namespace rpt::storage
