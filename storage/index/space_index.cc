#include "storage/index/space_index.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "storage/codec/blob_codec.h"
#include "storage/index/index_cache.h"

namespace rpt::storage {
namespace {

constexpr int kAttempts = 4;  // to change the index without the lock, before it is taken
// The file is written anew when more than this part of its rows has changed: until then the next
// process reads the changes from the database, which takes less time than this one's writing.
constexpr size_t kBehindPart = 16;

uint64_t digest_of(const KeyRows& rows) {
    uint64_t digest = 0;
    for (size_t row = 0; row < rows.size(); ++row)
        digest += digest_part(rows.facts(row).chunk, rows.facts(row).seal);
    return digest;
}

uint64_t digest_of(const Snapshot& snapshot) {
    uint64_t digest = 0;
    for (const RowRun& run : snapshot.runs)
        for (size_t row = 0; row < run.rows->size(); ++row)
            if (run.is_live(row))
                digest += digest_part(run.rows->facts(row).chunk, run.rows->facts(row).seal);
    return digest;
}

struct Changed {
    size_t added = 0, removed = 0;
};

// Brings a snapshot of any age to what `keys` lists: rows that are gone or differ die, missing ones
// are loaded.
Changed reconcile(KeySource& keys, Snapshot& snapshot) {
    const std::vector<ChunkSeal> seals = keys.seals();
    std::vector<uint64_t> missing, dead;
    std::vector<bool> known(seals.size());
    for (const RowRun& run : snapshot.runs) {
        auto at = seals.begin();
        for (size_t row = 0; row < run.rows->size(); ++row) {
            if (!run.is_live(row)) continue;
            const RowFacts& facts = run.rows->facts(row);
            at = std::lower_bound(
                at, seals.end(), facts.chunk,
                [](const ChunkSeal& seal, uint64_t chunk) { return seal.chunk < chunk; });
            if (at != seals.end() && at->chunk == facts.chunk && at->seal == facts.seal) {
                known[size_t(at - seals.begin())] = true;
            } else {
                dead.push_back(facts.chunk);
            }
        }
    }
    for (size_t i = 0; i < seals.size(); ++i)
        if (!known[i]) missing.push_back(seals[i].chunk);
    mark_dead(snapshot, dead);
    append_rows(snapshot,
                missing.size() == seals.size() ? keys.rows_after(0) : keys.rows_of(missing));
    return {missing.size(), dead.size()};
}

}  // namespace

SpaceIndex::SpaceIndex(uint64_t space, uint32_t dim, uint32_t flat_limit, std::string cache_file,
                       mode_t file_mode)
    : space_(space),
      dim_(dim),
      flat_limit_(flat_limit),
      cache_file_(std::move(cache_file)),
      file_mode_(file_mode) {}

std::shared_ptr<const Snapshot> SpaceIndex::current() const {
    const std::lock_guard guard(mutex_);
    return current_;
}

std::shared_ptr<const Snapshot> SpaceIndex::at(KeySource& keys, const SpaceMark& mark) {
    if (auto snapshot = current(); snapshot && snapshot->generation >= mark.generation)
        return snapshot;
    const std::lock_guard load_guard(load_mutex_);
    if (auto snapshot = current(); snapshot && snapshot->generation >= mark.generation)
        return snapshot;
    auto snapshot = refreshed(keys, mark);
    publish(snapshot);
    return snapshot;
}

std::shared_ptr<const Snapshot> SpaceIndex::refreshed(KeySource& keys, const SpaceMark& mark) {
    Snapshot next;
    if (const auto base = current()) {
        next = *base;
    } else if (auto cached = read_index_cache(cache_file_, space_, dim_)) {
        next = std::move(*cached);
        saved_generation_ = next.generation;
    } else {
        file_holds_gone_ = true;  // a file that is not believed, if there is one
    }
    if (next.digest != mark.digest) {
        // Mostly something was appended: then the new rows alone explain the new digest.
        const auto newer = keys.rows_after(next.newest_chunk);
        if (next.digest + digest_of(*newer) == mark.digest) {
            append_rows(next, newer);
            note_change(newer->size(), 0);
        } else {
            const Changed changed = reconcile(keys, next);
            note_change(changed.added, changed.removed);
        }
        if (digest_of(next) != mark.digest)
            throw Error(Status::kCorrupt, "rpt",
                        "store \"" + keys.label() + "\": the chunks of space " +
                            std::to_string(space_) + " do not match its digest; restore a backup");
        next.digest = mark.digest;
    }
    next.generation = mark.generation;
    return std::make_shared<const Snapshot>(std::move(next));
}

void SpaceIndex::publish(std::shared_ptr<const Snapshot> snapshot) {
    const std::lock_guard guard(mutex_);
    if (!current_ || current_->generation <= snapshot->generation) current_ = std::move(snapshot);
}

bool SpaceIndex::change(const std::function<bool(Snapshot&)>& work) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        std::shared_ptr<const Snapshot> base = current();
        if (!base) return false;
        auto next = std::make_shared<Snapshot>(*base);
        if (!work(*next)) return false;
        const std::lock_guard guard(mutex_);
        if (current_ != base) continue;
        current_ = std::move(next);  // `base` holds the old one: it is freed without the lock
        return true;
    }
    const std::lock_guard guard(mutex_);
    if (!current_) return false;
    auto next = std::make_shared<Snapshot>(*current_);
    if (!work(*next)) return false;
    current_ = std::move(next);
    return true;
}

void SpaceIndex::note_change(size_t added, size_t removed) {
    rows_behind_ += added + removed;
    if (removed == 0) return;
    file_holds_gone_ = true;
    ++gone_;
}

void SpaceIndex::apply(const IndexChange& change_of_commit) {
    const bool applied = change([&](Snapshot& next) {
        if (next.generation != change_of_commit.old_generation) return false;
        mark_dead(next, change_of_commit.removed);
        if (change_of_commit.added) append_rows(next, change_of_commit.added);
        next.generation = change_of_commit.now.generation;
        next.digest = change_of_commit.now.digest;
        return true;
    });
    if (applied)
        note_change(change_of_commit.added ? change_of_commit.added->size() : 0,
                    change_of_commit.removed.size());
}

void SpaceIndex::forget() {
    const std::lock_guard guard(mutex_);
    current_ = nullptr;
}

bool SpaceIndex::wants_build() const {
    const auto snapshot = current();
    if (!snapshot) return false;
    if (snapshot->flat_rows() > flat_limit_) return true;
    return std::ranges::any_of(snapshot->runs, [](const RowRun& run) {
        return run.graph && run.dead && run.dead->n * 4 > run.rows->size();
    });
}

bool SpaceIndex::has_dead_rows() const {
    const auto snapshot = current();
    return snapshot && std::ranges::any_of(snapshot->runs,
                                           [](const RowRun& run) { return run.dead != nullptr; });
}

bool SpaceIndex::build(bool everything, unsigned threads, const std::atomic<bool>& stop) {
    const std::lock_guard build_guard(build_mutex_);
    const auto base = current();
    if (!base) return true;
    // From the tail backwards: a graph joins when what is to be merged is at least half of it, so
    // that a chunk is built into a graph a logarithmic number of times while a space grows.
    std::vector<RowRun> merged;
    std::vector<std::shared_ptr<const KeyRows>> kept;
    size_t rows = 0;
    for (auto run = base->runs.rbegin(); run != base->runs.rend(); ++run) {
        const bool sparse = run->dead && run->dead->n * 4 > run->rows->size();
        if (everything || !run->graph || sparse || run->live() <= 2 * rows) {
            merged.push_back(*run);
            rows += run->live();
        } else {
            kept.push_back(run->rows);
        }
    }
    if (merged.empty() || rows == 0) return true;
    RowRun made{merge_rows(merged, dim_), nullptr, nullptr};
    if (rows > flat_limit_) {
        made.graph = HnswGraph::build(*made.rows, threads, stop);
        if (!made.graph) return false;
    }
    const bool changed = change([&](Snapshot& next) {
        adopt_merged(next, made, kept);
        return true;
    });
    if (changed) graph_is_new_ = true;
    return true;
}

uint64_t SpaceIndex::save_cache(bool spare_disk) {
    const std::lock_guard guard(save_mutex_);
    const uint64_t behind = rows_behind_, gone = gone_, removals = removals_;
    const bool graph = graph_is_new_;
    const auto snapshot = current();
    if (!snapshot || snapshot->live() < kIndexFileRows) return 0;
    if (saved_generation_ != 0 && !graph && behind <= snapshot->live() / kBehindPart)
        return saved_generation_;
    if (spare_disk) {
        saved_generation_ = 0;
        ::unlink(cache_file_.c_str());
    }
    try {
        write_index_cache(cache_file_, space_, dim_, *snapshot, file_mode_);
    } catch (const std::exception&) {  // a cache that cannot be kept is built again
        return saved_generation_;
    }
    saved_generation_ = snapshot->generation;
    rows_behind_ -= behind;
    if (graph) graph_is_new_ = false;
    file_holds_gone_ = gone_ != gone;
    // Whoever wanted the file away meanwhile found none, or the one before.
    if (removals_ != removals) {
        saved_generation_ = 0;
        ::unlink(cache_file_.c_str());
        return 0;
    }
    return snapshot->generation;
}

void SpaceIndex::remove_cache_file() {
    ++removals_;
    saved_generation_ = 0;
    ::unlink(cache_file_.c_str());
    file_holds_gone_ = false;
}

}  // namespace rpt::storage
