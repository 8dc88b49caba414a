// Giving back what deletions left: rows that nobody holds, free pages, the write-ahead log.
#include <algorithm>

#include "base/error.h"
#include "storage/sqlite/page_gaps.h"
#include "storage/sqlite/segment_edit.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {
namespace {

// Of one transaction: what a writer and the log's readers wait for at most.
constexpr size_t kSegmentsAtOnce = 16;
constexpr uint64_t kPagesAtOnce = 512;
// Over the pages, with writers let in between steps, before one that keeps them out.
constexpr int kPassesWithOthers = 2;

}  // namespace

bool StoreImpl::purge_step(uint64_t space_id) {
    bool more = false;
    SpaceChange change;
    write([&](Connection& connection) {
        change = {};
        const std::vector<SegmentRow> unused = list_unused(connection, space_id, 1);
        more = !unused.empty();
        if (!more) return;
        auto space = read_space(connection, unused[0].space);
        if (!space)
            throw Error(Status::kCorrupt, "rpt",
                        "store \"" + path() + "\": a segment belongs to no space; check the store");
        change.now = std::move(*space);
        change.old_generation = change.now.generation;
        SegmentEdit(connection, change, model_.key_width()).purge(kSegmentsAtOnce, commit_bytes());
        touch_space(connection, change.now);
    });
    if (more) publish(change);
    return more;
}

uint64_t StoreImpl::free_pages() {
    ConnectionPool::Lease lease(readers_);
    return static_cast<uint64_t>((*lease).read_number("PRAGMA freelist_count"));
}

void StoreImpl::compact(const CallControl& control) {
    require_writable();
    uint64_t total = 0;
    {
        ConnectionPool::Lease lease(readers_);
        total = static_cast<uint64_t>((*lease).read_number(
                    "SELECT count(*) FROM segments WHERE standing < 2 AND standing = 0")) +
                static_cast<uint64_t>((*lease).read_number("PRAGMA freelist_count"));
    }
    uint64_t done = 0;
    while (purge_step(0)) control.report(done += kSegmentsAtOnce, total);
    for (uint64_t free = free_pages(); free > 0;) {
        write([&](Connection& connection) { connection.exec("PRAGMA incremental_vacuum(512)"); });
        const uint64_t left = free_pages();
        if (left >= free) break;  // a store from before this pragma was on
        free = left;
        control.report(done += kPagesAtOnce, total);
    }
    wipe_database(control);
    clean_indexes(control);
    with_empty_log(control, [](Connection&) {});
}

// Step by step, so that a writer waits for one of them at most. Rows that a commit between two
// steps lays out anew can carry what was not cleared yet to a page that was: then all is done
// again, at last in one step.
void StoreImpl::wipe_database(const CallControl& control) {
    for (int pass = 0;; ++pass) {
        const bool alone = pass == kPassesWithOthers;
        uint64_t writes = 0, next = 1;
        bool undisturbed = true;
        for (bool more = true; more;) {
            with_empty_log(control, [&](Connection& connection) {
                if (next == 1) writes = n_writes_;
                undisturbed = undisturbed && writes == n_writes_;
                const auto pages =
                    static_cast<uint64_t>(connection.read_number("PRAGMA page_count"));
                do {
                    control.report(next - 1, pages);
                    const uint64_t n =
                        std::min(kPagesAtOnce * 4, pages + 1 - std::min(next, pages + 1));
                    wipe_gaps(connection, next, n);
                    next += n;
                    more = n > 0;
                } while (alone && more);
                if (!more) connection.sync_file();
                // Its copies of pages hold what the file no longer does.
                connection.drop_cached_pages();
            });
        }
        if (undisturbed) return;
    }
}

void StoreImpl::clean_indexes(const CallControl& control) {
    // Files of spaces that are not loaded may be older than a deletion; those of dropped spaces are
    // left by an interrupted drop.
    for (const uint64_t space : directory_.spaces_of_index_files()) {
        ConnectionPool::Lease lease(readers_);
        const auto row = read_space(*lease, space);
        if (row) {
            snapshot_at(*lease, *row);
        } else {
            index_of(space)->remove_cache_file();
        }
    }
    std::vector<std::shared_ptr<SpaceIndex>> indexes;
    {
        const std::lock_guard guard(indexes_mutex_);
        for (const auto& [space, index] : indexes_) indexes.push_back(index);
    }
    for (const auto& index : indexes) {
        control.check();
        if (!index->has_dead_rows() && !index->file_holds_gone_keys()) continue;
        index->remove_cache_file();
        // Graphs keep the rows of deleted chunks as ways through.
        const std::atomic<bool> never{false};
        if (index->has_dead_rows()) index->build(true, build_threads(), never);
        index_generation_ = std::max(index_generation_.load(), index->save_cache(budget_ != 0));
    }
}

bool StoreImpl::try_truncate_log() {
    writer_->exec("PRAGMA busy_timeout=200");
    const bool busy = writer_->read_number("PRAGMA wal_checkpoint(TRUNCATE)") != 0;
    writer_->exec("PRAGMA busy_timeout=5000");
    return !busy;
}

void StoreImpl::with_empty_log(const CallControl& control,
                               const std::function<void(Connection&)>& work) {
    for (int attempt = 0;; ++attempt) {
        control.check();
        const std::lock_guard guard(writer_mutex_);
        if (!writer_)
            throw Error(Status::kState, "rpt", "store \"" + path() + "\" is closed; open it again");
        if (try_truncate_log()) return work(*writer_);
        if (attempt == 10)
            throw Error(
                Status::kBusy, "rpt",
                "store \"" + path() +
                    "\" cannot be made compact while readers use an older state of its log; "
                    "end them and compact again");
    }
}

}  // namespace rpt::storage
