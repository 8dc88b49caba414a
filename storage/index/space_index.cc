#include "storage/index/space_index.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "storage/codec/blob_codec.h"
#include "storage/index/index_cache.h"

namespace rpt::storage {
namespace {

constexpr int kAttempts = 4;  // to change the index without the lock, before it is taken

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

// Brings a snapshot of any age to what `seals` lists: rows that are gone or differ die, missing
// ones are loaded.
void reconcile(KeySource& keys, Snapshot& snapshot) {
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
}

}  // namespace

SpaceIndex::SpaceIndex(uint64_t space, uint32_t dim, uint32_t flat_limit, std::string cache_file)
    : space_(space), dim_(dim), flat_limit_(flat_limit), cache_file_(std::move(cache_file)) {}

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
        if (next.digest == mark.digest && next.generation == mark.generation)
            saved_generation_ = mark.generation;
    }
    if (next.digest != mark.digest) {
        // Mostly something was appended: then the new rows alone explain the new digest.
        const auto newer = keys.rows_after(next.newest_chunk);
        if (next.digest + digest_of(*newer) == mark.digest) {
            append_rows(next, newer);
        } else {
            reconcile(keys, next);
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

void SpaceIndex::apply(const IndexChange& change_of_commit) {
    change([&](Snapshot& next) {
        if (next.generation != change_of_commit.old_generation) return false;
        mark_dead(next, change_of_commit.removed);
        if (change_of_commit.added) append_rows(next, change_of_commit.added);
        next.generation = change_of_commit.now.generation;
        next.digest = change_of_commit.now.digest;
        return true;
    });
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
    if (changed) saved_generation_ = 0;  // the file lacks the new graph
    return true;
}

uint64_t SpaceIndex::save_cache() {
    const std::lock_guard guard(save_mutex_);
    const uint64_t removals = removals_;
    const auto snapshot = current();
    if (!snapshot || snapshot->live() < kIndexFileRows) return 0;
    if (saved_generation_ == snapshot->generation) return snapshot->generation;
    saved_generation_ = 0;
    ::unlink(
        cache_file_.c_str());  // never two of them on the disk; not a removal that says something
    try {
        write_index_cache(cache_file_, space_, dim_, *snapshot);
    } catch (const std::exception&) {  // a cache that cannot be kept is built again
        return 0;
    }
    saved_generation_ = snapshot->generation;
    // A deletion that came meanwhile found no file, or the one before.
    if (removals_ != removals) {
        saved_generation_ = 0;
        ::unlink(cache_file_.c_str());
        return 0;
    }
    return snapshot->generation;
}

bool SpaceIndex::is_saved() const {
    const auto snapshot = current();
    return snapshot && saved_generation_ == snapshot->generation;
}

void SpaceIndex::remove_cache_file() {
    ++removals_;
    saved_generation_ = 0;
    ::unlink(cache_file_.c_str());
}

}  // namespace rpt::storage
