// How a store keeps within its bytes: states that were not wanted for longest leave the disk first.
//
// What counts is the folder: database, write-ahead log, shared memory of SQLite, index files. The
// log gets a fixed part of the budget, the index what its rows need; the database has the rest.
// Room is made before a commit inserts, so that freed pages are used again and the file never grows
// past it.
#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "storage/codec/pointer_codec.h"
#include "storage/codec/state_codec.h"
#include "storage/sqlite/segment_edit.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kFixedBytes = 128 * 1024;  // lock file, shared memory, folders
constexpr uint64_t kSlackPages = 64;          // of b-trees that split
constexpr size_t kBatch = 64;                 // rows that one look may take
constexpr uint64_t kMinBudget = 1 << 20;
constexpr uint64_t kUnboundedCommit = 16 << 20;

// Of a row and its entries in indexes, without its blobs.
constexpr uint64_t kRowBytes = 192;

uint64_t log_share(uint64_t budget) {
    return std::clamp<uint64_t>(budget / 8, 256 << 10, 16 << 20);
}

// Of a row in an index file with a graph, without its key.
constexpr uint64_t kIndexRowBytes = 300;

// Whole pages that a blob fills at most.
uint64_t pages_of_blob(uint64_t bytes) {
    return bytes / (kPage - 4) + 1;
}

uint64_t pages_of(const std::vector<PreparedSegment>& prepared) {
    uint64_t pages = kSlackPages, small = 0;
    for (const PreparedSegment& segment : prepared) {
        small += segment.text.size() + kRowBytes;
        for (const EncodedRecord& chunk : segment.chunks) {
            small += chunk.key.size() + chunk.tokens.size() + kRowBytes;
            if (!chunk.states.empty()) pages += pages_of_blob(chunk.states.size());
            if (!chunk.pointers.empty()) pages += pages_of_blob(chunk.pointers.size());
        }
    }
    return pages + small * 3 / 2 / kPage;
}

uint64_t disk_of(const SpaceRow& space, const ModelBinding& model) {
    return space.text_disk + space.state_disk + space.tokens * 2 +
           space.chunks * (uint64_t(model.key_width()) * 2 + kRowBytes) +
           pointer_bytes(space.chunks, space.tokens, model.pointer_dim);
}

uint64_t disk_of(const std::vector<PreparedSegment>& prepared) {
    uint64_t bytes = 0;
    for (const PreparedSegment& segment : prepared)
        bytes += segment.size() + segment.chunks.size() * kRowBytes;
    return bytes;
}

// Takes the states of one incoming chunk, from the first on; false if none has any left.
bool drop_incoming(std::vector<PreparedSegment>& prepared) {
    for (PreparedSegment& segment : prepared) {
        for (EncodedRecord& chunk : segment.chunks) {
            if (chunk.states.empty()) continue;
            chunk.states.clear();
            return true;
        }
    }
    return false;
}

uint64_t chunks_of_store(Connection& connection) {
    return static_cast<uint64_t>(
        connection.read_number("SELECT ifnull(sum(chunks), 0) FROM spaces"));
}

uint64_t all_pages(Connection& connection) {
    return static_cast<uint64_t>(connection.read_number("PRAGMA page_count"));
}

uint64_t used_pages(Connection& connection) {
    return all_pages(connection) -
           static_cast<uint64_t>(connection.read_number("PRAGMA freelist_count"));
}

[[noreturn]] void fail_budget(const std::string& whose, uint64_t budget) {
    throw Error(Status::kNoSpace, "rpt",
                whose + ": its keys and texts alone are more than its budget of " +
                    std::to_string(budget) + " bytes; give it more or delete documents");
}

}  // namespace

uint64_t StoreImpl::commit_bytes() const {
    const uint64_t budget = budget_;
    return budget == 0 ? kUnboundedCommit : log_share(budget) / 8;
}

uint64_t StoreImpl::database_pages(uint64_t chunks) const {
    const uint64_t index = std::max(directory_.disk_use().index,
                                    chunks * (uint64_t(model_.key_width()) * 2 + kIndexRowBytes));
    const uint64_t others = log_share(budget_) + index + kFixedBytes;
    return budget_ > others ? (budget_ - others) / kPage : 0;
}

// Drops the states of the chunk, of whatever space it is.
void StoreImpl::evict(Connection& connection, SpaceRow& here, uint64_t space,
                      const StoredStates& states) {
    drop_states(connection, states.chunk);
    if (space == here.id) {
        here.state_disk -= states.disk;
        return;
    }
    Query(connection, "UPDATE spaces SET state_disk = state_disk - ? WHERE id = ?")
        .bind(static_cast<int64_t>(states.disk))
        .bind(static_cast<int64_t>(space))
        .run();
}

bool StoreImpl::purge_some(Connection& connection, SpaceRow& here, bool all_spaces,
                           uint64_t bytes) {
    uint64_t erased = 0;
    for (const SegmentRow& row : list_unused(connection, all_spaces ? 0 : here.id, kBatch)) {
        if (row.space == here.id) {
            erased += erase_segment(connection, here, row);
        } else if (auto space = read_space(connection, row.space)) {
            erased += erase_segment(connection, *space, row);
            touch_space(connection, *space);
        }
        if (erased >= bytes) break;
    }
    return erased > 0;
}

bool StoreImpl::free_some(Connection& connection, SpaceRow& here, bool all_spaces, uint64_t bytes) {
    if (purge_some(connection, here, all_spaces, bytes)) return true;
    std::vector<std::pair<StoredStates, uint64_t>> oldest;
    const auto gather = [&](uint64_t space) {
        for (const StoredStates& states : list_by_use(connection, space, kBatch))
            oldest.emplace_back(states, space);
    };
    if (all_spaces) {
        list_space_rows(connection, [&](const SpaceRow& row) {
            gather(row.id);
            return true;
        });
    } else {
        gather(here.id);
    }
    std::ranges::sort(oldest, {}, [](const auto& entry) {
        return std::pair(entry.first.used, entry.first.chunk);
    });
    // No more than is wanted: a page that is freed goes through the log.
    uint64_t freed = 0;
    for (size_t i = 0; i < std::min(oldest.size(), kBatch) && freed < bytes; ++i) {
        const auto& [states, space] = oldest[i];
        evict(connection, here, space, states);
        freed += states.disk;
    }
    return freed > 0;
}

void StoreImpl::make_room(Connection& connection, SpaceRow& space,
                          std::vector<PreparedSegment>& prepared) {
    if (space.budget != 0) {
        for (;;) {
            const uint64_t wanted = disk_of(space, model_) + disk_of(prepared);
            if (wanted <= space.budget) break;
            if (!free_some(connection, space, false, wanted - space.budget) &&
                !drop_incoming(prepared))
                fail_budget("space \"" + space.owner + "\" / \"" + space.collection + "\"",
                            space.budget);
        }
    }
    if (budget_ == 0) return;
    uint64_t fresh = 0;
    for (const PreparedSegment& segment : prepared) fresh += segment.chunks.size();
    const uint64_t limit = database_pages(chunks_of_store(connection) + fresh);
    for (;;) {
        const uint64_t wanted = used_pages(connection) + pages_of(prepared);
        if (wanted <= limit) return;
        if (!free_some(connection, space, true, (wanted - limit) * kPage) &&
            !drop_incoming(prepared))
            fail_budget("store \"" + path() + "\"", budget_);
    }
}

// The part of the index grows with the chunks, so that the database's shrinks.
void StoreImpl::trim(Connection& connection) {
    if (budget_ == 0) return;
    const uint64_t limit = database_pages(chunks_of_store(connection));
    const uint64_t pages = all_pages(connection);
    if (pages <= limit) return;
    const uint64_t portion = std::min(pages - limit, commit_bytes() / kPage);
    connection.exec(("PRAGMA incremental_vacuum(" + std::to_string(portion) + ")").c_str());
}

void StoreImpl::keep_log_short(Connection& connection) noexcept {
    if (budget_ == 0) return;
    try {
        struct stat facts {};
        if (::stat(directory_.log().c_str(), &facts) != 0) return;
        if (static_cast<uint64_t>(facts.st_size) < log_share(budget_) / 4) return;
        // From the beginning of the file again; readers of an older state may keep it.
        connection.exec("PRAGMA wal_checkpoint(RESTART)");
    } catch (...) {  // the commit stands, and the next one tries again
    }
}

void StoreImpl::note_use(uint64_t chunk) {
    if (options_.read_only) return;
    const std::lock_guard guard(uses_mutex_);
    if (uses_.size() == kMaxUses) uses_.clear();  // the latest tell most
    uses_.insert(chunk);
}

void StoreImpl::write_uses() {
    if (!evicts_) return;
    require_writable();
    std::set<uint64_t> uses;
    {
        const std::lock_guard guard(uses_mutex_);
        uses.swap(uses_);
    }
    // A mark may change a page of the table and two of the index by use.
    const size_t portion = std::max<size_t>(8, commit_bytes() / (3 * kPage));
    try {
        while (!uses.empty()) {
            write([&](Connection& connection) {
                const auto now =
                    static_cast<uint64_t>(connection.read_number("SELECT generation FROM store")) +
                    1;
                for (size_t i = 0; i < portion && !uses.empty(); ++i) {
                    mark_used(connection, *uses.begin(), now);
                    uses.erase(uses.begin());
                }
            });
        }
    } catch (const std::exception&) {  // hints: without them something else is dropped first
    }
}

void StoreImpl::set_budget(uint64_t bytes) {
    if (bytes != 0 && bytes < kMinBudget)
        throw Error(Status::kArgument, "rpt",
                    "a budget of " + std::to_string(bytes) + " bytes is below the least, " +
                        std::to_string(kMinBudget));
    const uint64_t before = budget_;
    if (bytes != 0) evicts_ = true;
    write_uses();
    const auto set_row = [&](Connection& connection, uint64_t budget) {
        Query(connection, "UPDATE store SET budget = ?").bind(static_cast<int64_t>(budget)).run();
    };
    try {
        write([&](Connection& connection) {
            budget_ = bytes;
            set_row(connection, bytes);
            if (bytes == 0) return;
            // What states fill at most, whole pages and what is left over in them.
            const auto states = static_cast<uint64_t>(connection.read_number(
                "SELECT ifnull(sum(CASE WHEN state_disk > 2000 THEN state_disk / 4092 + 1.0 ELSE "
                "(state_disk + 32) / 2000.0 END), 0) FROM chunks WHERE state_disk > 0"));
            if (used_pages(connection) > states + database_pages(chunks_of_store(connection)) &&
                list_unused(connection, 0, 1).empty())
                fail_budget("store \"" + path() + "\"", bytes);
        });
    } catch (...) {
        budget_ = before;
        throw;
    }
    // The row says so now, whatever shrinking meets: later commits go on making room.
    const Shrunk shrunk = shrink();
    if (shrunk == Shrunk::kFits) return;
    write([&](Connection& connection) { set_row(connection, before); });
    budget_ = before;
    if (shrunk == Shrunk::kTooMuch) fail_budget("store \"" + path() + "\"", bytes);
    throw Error(Status::kNoSpace, "rpt",
                "store \"" + path() +
                    "\": its database gives no pages back (another program turned its auto_vacuum "
                    "off); read its documents into a new store");
}

void StoreImpl::set_space_budget(uint64_t space, uint64_t bytes) {
    if (bytes != 0) evicts_ = true;
    write_uses();
    write([&](Connection& connection) {
        auto row = read_space(connection, space);
        if (!row) throw Error(Status::kNotFound, "rpt", "the space was dropped; open it again");
        row->budget = bytes;
        std::vector<PreparedSegment> nothing;
        make_room(connection, *row, nothing);
        touch_space(connection, *row);
    });
}

// Step by step, so that the log stays within its share.
StoreImpl::Shrunk StoreImpl::shrink() {
    if (budget_ == 0) return Shrunk::kFits;
    Shrunk shrunk = Shrunk::kFits;
    for (bool more = true; more;) {
        write([&](Connection& connection) {
            const uint64_t limit = database_pages(chunks_of_store(connection));
            const uint64_t pages = all_pages(connection);
            SpaceRow nowhere;
            more = pages > limit;
            bool freed = false;
            if (used_pages(connection) > limit) {
                freed = free_some(connection, nowhere, true, commit_bytes());
                if (!freed) shrunk = Shrunk::kTooMuch;
            }
            if (pages > limit)
                connection.exec(
                    ("PRAGMA incremental_vacuum(" + std::to_string(commit_bytes() / kPage) + ")")
                        .c_str());
            if (shrunk == Shrunk::kFits && more && !freed && all_pages(connection) == pages)
                shrunk = Shrunk::kStuck;
            more = more && shrunk == Shrunk::kFits;
        });
    }
    try {
        const std::lock_guard guard(writer_mutex_);
        if (writer_) writer_->exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (const Error&) {  // the log stays longer until a commit or closing cuts it
    }
    return shrunk;
}

}  // namespace rpt::storage
