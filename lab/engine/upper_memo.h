// Keys and values of neighbours that passed through the upper layers: who asks often finds the same
// chunks again, and a pass costs as much as reading the neighbour's tokens.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "core/engine/engine.h"
#include "lab/network/upper_reading.h"

namespace rpt::engine {

// Of every upper layer.
using PassedNeighbour = std::vector<model::FarRows>;

// Neighbours are told apart by their numbers, so what is kept is right whoever deletes, edits or
// rewinds. Any number of threads.
class UpperMemo {
  public:
    // Forgets what was not used for longest beyond so many bytes of keys and values.
    explicit UpperMemo(size_t most_bytes) : most_bytes_(most_bytes) {}

    // What `make` gives, now or earlier. `make` runs without a lock; two threads may both make one.
    PassedNeighbour get(const Neighbour& neighbour, const std::function<PassedNeighbour()>& make);
    size_t bytes() const;
    void clear();

  private:
    using Entries = std::list<std::pair<Digest, PassedNeighbour>>;  // the last used first
    void put(const Digest& digest, const PassedNeighbour& passed);

    const size_t most_bytes_;
    mutable std::mutex mutex_;  // guards what follows
    Entries entries_;
    std::map<Digest, Entries::iterator> by_digest_;
    size_t bytes_ = 0;
};

}  // namespace rpt::engine
