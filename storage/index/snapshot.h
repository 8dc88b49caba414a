// What a search looks at: the chunks of one space at one moment.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "storage/index/hnsw_graph.h"
#include "storage/index/key_rows.h"

namespace rpt::storage {

// Rows that no longer count. Immutable once published.
struct DeadRows {
    std::vector<uint64_t> bits;
    size_t n = 0;
    LazySums sums;  // of their keys
    bool has(size_t row) const { return (bits[row / 64] >> (row % 64)) & 1; }
};

// A run of rows, with or without a graph over them.
struct RowRun {
    std::shared_ptr<const KeyRows> rows;
    std::shared_ptr<const HnswGraph> graph;  // null: searched by exact scan
    std::shared_ptr<const DeadRows> dead;    // null: none

    bool is_live(size_t row) const { return dead == nullptr || !dead->has(row); }
    size_t live() const { return rows->size() - (dead ? dead->n : 0); }
};

// Immutable; replaced by pointer swap. Segments with a graph come first, then the flat tail in
// runs of falling size.
struct Snapshot {
    uint64_t generation = 0;  // of the space when this was true
    uint64_t digest = 0;      // sum of digest_part() over the live rows
    uint64_t newest_chunk = 0;
    std::vector<RowRun> runs;

    size_t live() const;
    size_t flat_rows() const;
    size_t memory_bytes() const;
    // The run and row of a live chunk, or null.
    const RowRun* find(uint64_t chunk, size_t& row) const;
};

// A copy in which `chunks` (sorted or not; unknown ones are ignored) are dead.
void mark_dead(Snapshot& snapshot, std::span<const uint64_t> chunks);
// Appends a flat run, and merges the tail so that its runs stay few: a logarithm of their
// rows.
void append_rows(Snapshot& snapshot, std::shared_ptr<const KeyRows> rows);
// Live rows of some runs as one, sorted; the rows themselves where nothing is to be merged.
std::shared_ptr<const KeyRows> merge_rows(std::span<const RowRun> runs, uint32_t dim);
// `merged` (with a graph or without) takes the place of what it covers in `snapshot`, which may
// have moved on since: rows that died stay dead, rows that came stay in the tail. Segments in
// `kept` are left alone.
void adopt_merged(Snapshot& snapshot, RowRun merged,
                  std::span<const std::shared_ptr<const KeyRows>> kept);

}  // namespace rpt::storage
