// What caches of spaces have in common: how much they keep, and which space goes first.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace rpt::storage {

// `spaces` maps numbers to pointers of spaces that have `kept`, a shared snapshot with its
// memory_bytes, or null, and `used`, which tells which was wanted last. The caller holds the lock.
template <typename Spaces>
uint64_t kept_bytes(const Spaces& spaces) {
    uint64_t bytes = 0;
    for (const auto& [id, space] : spaces)
        if (space->kept) bytes += space->kept->memory_bytes;
    return bytes;
}

// Takes the snapshots of the spaces that were used least recently, but never that of `newest`,
// until the rest is at most `limit` bytes. They are returned, to be freed without the lock.
template <typename Spaces, typename Space>
auto take_oldest(Spaces& spaces, const Space& newest, uint64_t limit) {
    std::vector<decltype(newest.kept)> freed;
    while (kept_bytes(spaces) > limit) {
        Space* oldest = nullptr;
        for (const auto& [id, other] : spaces)
            if (other->kept && other.get() != &newest &&
                (oldest == nullptr || other->used < oldest->used))
                oldest = other.get();
        if (oldest == nullptr) break;
        freed.push_back(std::move(oldest->kept));
        oldest->kept = nullptr;
    }
    return freed;
}

}  // namespace rpt::storage
