#include "storage/index/snapshot.h"

#include <algorithm>

namespace rpt::storage {
namespace {

// Where the dead are more than a quarter of a flat run it is written anew.
bool is_sparse(const RowRun& run) {
    return run.dead && run.dead->n * 4 > run.rows->size();
}

}  // namespace

size_t Snapshot::live() const {
    size_t n = 0;
    for (const RowRun& run : runs) n += run.live();
    return n;
}

size_t Snapshot::flat_rows() const {
    size_t n = 0;
    for (const RowRun& run : runs)
        if (!run.graph) n += run.rows->size();
    return n;
}

size_t Snapshot::memory_bytes() const {
    size_t n = 0;
    for (const RowRun& s : runs)
        n += s.rows->memory_bytes() + (s.graph ? s.graph->memory_bytes() : 0) +
             (s.dead ? s.dead->bits.size() * sizeof(uint64_t) : 0);
    return n;
}

const RowRun* Snapshot::find(uint64_t chunk, size_t& row) const {
    for (const RowRun& run : runs) {
        const int64_t at = run.rows->find(chunk);
        if (at < 0 || !run.is_live(static_cast<size_t>(at))) continue;
        row = static_cast<size_t>(at);
        return &run;
    }
    return nullptr;
}

void mark_dead(Snapshot& snapshot, std::span<const uint64_t> chunks) {
    for (RowRun& run : snapshot.runs) {
        std::shared_ptr<DeadRows> dead;
        for (const uint64_t chunk : chunks) {
            const int64_t row = run.rows->find(chunk);
            if (row < 0 || !run.is_live(static_cast<size_t>(row))) continue;
            if (!dead) {
                dead =
                    run.dead ? std::make_shared<DeadRows>(*run.dead) : std::make_shared<DeadRows>();
                dead->bits.resize((run.rows->size() + 63) / 64);
            }
            uint64_t& word = dead->bits[size_t(row) / 64];
            const uint64_t bit = uint64_t(1) << (row % 64);
            if (!(word & bit)) ++dead->n;
            word |= bit;
        }
        if (dead) run.dead = std::move(dead);
    }
    std::erase_if(snapshot.runs, [](const RowRun& run) { return run.live() == 0; });
    for (RowRun& run : snapshot.runs)
        if (!run.graph && is_sparse(run))
            run = {merge_rows({&run, 1}, run.rows->dim()), nullptr, nullptr};
}

void append_rows(Snapshot& snapshot, std::shared_ptr<const KeyRows> rows) {
    if (rows->size() == 0) return;
    const uint32_t dim = rows->dim();
    snapshot.newest_chunk = std::max(snapshot.newest_chunk, rows->facts(rows->size() - 1).chunk);
    auto& runs = snapshot.runs;
    runs.push_back({std::move(rows), nullptr, nullptr});
    while (runs.size() >= 2) {
        const RowRun& last = runs.back();
        const RowRun& before = runs[runs.size() - 2];
        if (before.graph || last.rows->size() * 2 < before.rows->size()) break;
        RowRun merged{merge_rows(std::span(runs).last(2), dim), nullptr, nullptr};
        runs.pop_back();
        runs.back() = std::move(merged);
    }
}

std::shared_ptr<const KeyRows> merge_rows(std::span<const RowRun> runs, uint32_t dim) {
    // One run of live rows alone is what it would become: no second copy of its keys.
    if (runs.size() == 1 && !runs[0].dead) return runs[0].rows;
    struct Place {
        uint64_t chunk;
        const KeyRows* rows;
        size_t row;
    };
    std::vector<Place> places;
    for (const RowRun& run : runs)
        for (size_t row = 0; row < run.rows->size(); ++row)
            if (run.is_live(row))
                places.push_back({run.rows->facts(row).chunk, run.rows.get(), row});
    std::ranges::sort(places, {}, &Place::chunk);
    auto merged = std::make_shared<KeyRows>(dim);
    merged->reserve(places.size());
    for (const Place& place : places) merged->push_from(*place.rows, place.row);
    return merged;
}

void adopt_merged(Snapshot& snapshot, RowRun merged,
                  std::span<const std::shared_ptr<const KeyRows>> kept) {
    const uint32_t dim = merged.rows->dim();
    const size_t n = merged.rows->size();
    std::vector<RowRun> before;
    std::vector<RowRun> rest;  // rows that `merged` does not cover, with all others marked dead
    auto dead = std::make_shared<DeadRows>();
    dead->bits.assign((n + 63) / 64, ~uint64_t(0));
    dead->n = n;
    for (const RowRun& run : snapshot.runs) {
        if (std::ranges::find(kept, run.rows) != kept.end()) {
            before.push_back(run);
            continue;
        }
        auto covered =
            run.dead ? std::make_shared<DeadRows>(*run.dead) : std::make_shared<DeadRows>();
        covered->bits.resize((run.rows->size() + 63) / 64);
        for (size_t row = 0, at = 0; row < run.rows->size(); ++row) {
            if (!run.is_live(row)) continue;
            const uint64_t chunk = run.rows->facts(row).chunk;
            at = merged.rows->first_from(chunk, at);
            if (at == n || merged.rows->facts(at).chunk != chunk) continue;
            dead->bits[at / 64] &= ~(uint64_t(1) << (at % 64));
            --dead->n;
            covered->bits[row / 64] |= uint64_t(1) << (row % 64);
            ++covered->n;
        }
        RowRun left{run.rows, nullptr, std::move(covered)};
        if (left.live() > 0) rest.push_back(std::move(left));
    }
    if (dead->n > 0) merged.dead = std::move(dead);
    snapshot.runs = std::move(before);
    if (merged.live() > 0) snapshot.runs.push_back(std::move(merged));
    if (!rest.empty()) append_rows(snapshot, merge_rows(rest, dim));
}

}  // namespace rpt::storage
