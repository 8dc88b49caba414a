#include "storage/snapshot.h"

#include <algorithm>

namespace rpt::storage {
namespace {

// Where the dead are more than a quarter of a flat segment it is written anew.
bool is_sparse(const Segment& segment) {
    return segment.dead && segment.dead->n * 4 > segment.rows->size();
}

}  // namespace

size_t Snapshot::live() const {
    size_t n = 0;
    for (const Segment& segment : segments) n += segment.live();
    return n;
}

size_t Snapshot::flat_rows() const {
    size_t n = 0;
    for (const Segment& segment : segments)
        if (!segment.graph) n += segment.rows->size();
    return n;
}

size_t Snapshot::memory_bytes() const {
    size_t n = 0;
    for (const Segment& s : segments)
        n += s.rows->memory_bytes() + (s.graph ? s.graph->memory_bytes() : 0) +
             (s.dead ? s.dead->bits.size() * sizeof(uint64_t) : 0);
    return n;
}

const Segment* Snapshot::find(uint64_t chunk, size_t& row) const {
    for (const Segment& segment : segments) {
        const int64_t at = segment.rows->find(chunk);
        if (at < 0 || !segment.is_live(static_cast<size_t>(at))) continue;
        row = static_cast<size_t>(at);
        return &segment;
    }
    return nullptr;
}

void mark_dead(Snapshot& snapshot, std::span<const uint64_t> chunks) {
    for (Segment& segment : snapshot.segments) {
        std::shared_ptr<DeadRows> dead;
        for (const uint64_t chunk : chunks) {
            const int64_t row = segment.rows->find(chunk);
            if (row < 0 || !segment.is_live(static_cast<size_t>(row))) continue;
            if (!dead) {
                dead = segment.dead ? std::make_shared<DeadRows>(*segment.dead)
                                    : std::make_shared<DeadRows>();
                dead->bits.resize((segment.rows->size() + 63) / 64);
            }
            uint64_t& word = dead->bits[size_t(row) / 64];
            const uint64_t bit = uint64_t(1) << (row % 64);
            if (!(word & bit)) ++dead->n;
            word |= bit;
        }
        if (dead) segment.dead = std::move(dead);
    }
    std::erase_if(snapshot.segments, [](const Segment& segment) { return segment.live() == 0; });
    for (Segment& segment : snapshot.segments)
        if (!segment.graph && is_sparse(segment))
            segment = {merge_rows({&segment, 1}, segment.rows->dim()), nullptr, nullptr};
}

void append_rows(Snapshot& snapshot, std::shared_ptr<const KeyRows> rows) {
    if (rows->size() == 0) return;
    const uint32_t dim = rows->dim();
    snapshot.newest_chunk = std::max(snapshot.newest_chunk, rows->facts(rows->size() - 1).chunk);
    auto& segments = snapshot.segments;
    segments.push_back({std::move(rows), nullptr, nullptr});
    while (segments.size() >= 2) {
        const Segment& last = segments.back();
        const Segment& before = segments[segments.size() - 2];
        if (before.graph || last.rows->size() * 2 < before.rows->size()) break;
        Segment merged{merge_rows(std::span(segments).last(2), dim), nullptr, nullptr};
        segments.pop_back();
        segments.back() = std::move(merged);
    }
}

std::shared_ptr<const KeyRows> merge_rows(std::span<const Segment> segments, uint32_t dim) {
    // One segment of live rows alone is what it would become: no second copy of its keys.
    if (segments.size() == 1 && !segments[0].dead) return segments[0].rows;
    struct Place {
        uint64_t chunk;
        const KeyRows* rows;
        size_t row;
    };
    std::vector<Place> places;
    for (const Segment& segment : segments)
        for (size_t row = 0; row < segment.rows->size(); ++row)
            if (segment.is_live(row))
                places.push_back({segment.rows->facts(row).chunk, segment.rows.get(), row});
    std::ranges::sort(places, {}, &Place::chunk);
    auto merged = std::make_shared<KeyRows>(dim);
    merged->reserve(places.size());
    for (const Place& place : places) merged->push_from(*place.rows, place.row);
    return merged;
}

void adopt_merged(Snapshot& snapshot, Segment merged,
                  std::span<const std::shared_ptr<const KeyRows>> kept) {
    const uint32_t dim = merged.rows->dim();
    const size_t n = merged.rows->size();
    std::vector<Segment> before;
    std::vector<Segment> rest;  // rows that `merged` does not cover, with all others marked dead
    auto dead = std::make_shared<DeadRows>();
    dead->bits.assign((n + 63) / 64, ~uint64_t(0));
    dead->n = n;
    for (const Segment& segment : snapshot.segments) {
        if (std::ranges::find(kept, segment.rows) != kept.end()) {
            before.push_back(segment);
            continue;
        }
        auto covered = segment.dead ? std::make_shared<DeadRows>(*segment.dead)
                                    : std::make_shared<DeadRows>();
        covered->bits.resize((segment.rows->size() + 63) / 64);
        for (size_t row = 0, at = 0; row < segment.rows->size(); ++row) {
            if (!segment.is_live(row)) continue;
            const uint64_t chunk = segment.rows->facts(row).chunk;
            at = merged.rows->first_from(chunk, at);
            if (at == n || merged.rows->facts(at).chunk != chunk) continue;
            dead->bits[at / 64] &= ~(uint64_t(1) << (at % 64));
            --dead->n;
            covered->bits[row / 64] |= uint64_t(1) << (row % 64);
            ++covered->n;
        }
        Segment left{segment.rows, nullptr, std::move(covered)};
        if (left.live() > 0) rest.push_back(std::move(left));
    }
    if (dead->n > 0) merged.dead = std::move(dead);
    snapshot.segments = std::move(before);
    if (merged.live() > 0) snapshot.segments.push_back(std::move(merged));
    if (!rest.empty()) append_rows(snapshot, merge_rows(rest, dim));
}

}  // namespace rpt::storage
