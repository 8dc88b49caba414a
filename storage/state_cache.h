// Decoded states of chunks that were asked for lately.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

namespace rpt::storage {

// Shared by threads. Least recently used goes first. A chunk's number is never used again and its
// states never change, so that nothing in here can be stale.
class StateCache {
  public:
    using States = std::shared_ptr<const std::vector<float>>;

    explicit StateCache(uint64_t limit_bytes) : limit_(limit_bytes) {}
    void set_limit(uint64_t bytes);
    // Null if absent; counts a hit or a miss.
    States find(uint64_t chunk);
    void insert(uint64_t chunk, States states);
    void erase(std::span<const uint64_t> chunks);
    void clear();

    struct Figures {
        uint64_t bytes = 0, hits = 0, misses = 0;
    };
    Figures figures() const;

  private:
    struct Entry {
        uint64_t chunk;
        States states;
    };
    void erase_locked(uint64_t chunk);

    mutable std::mutex mutex_;  // guards all below
    uint64_t limit_;
    std::list<Entry> entries_;  // latest first
    std::unordered_map<uint64_t, std::list<Entry>::iterator> places_;
    Figures figures_;
};

}  // namespace rpt::storage
