#include "lab/engine/upper_memo.h"

namespace rpt::engine {
namespace {

size_t bytes_of(const PassedNeighbour& passed) {
    size_t bytes = 0;
    for (const model::FarRows& rows : passed) bytes += rows.k.nbytes() + rows.v.nbytes();
    return bytes;
}

Digest digest_of(const Neighbour& neighbour) {
    Sha256 hash;
    for (const auto& states : {neighbour.chunk, neighbour.successor}) {
        const uint64_t n = states.size();
        hash.update(&n, sizeof n).update(states.data(), states.size_bytes());
    }
    return hash.finish();
}

}  // namespace

PassedNeighbour UpperMemo::get(const Neighbour& neighbour,
                               const std::function<PassedNeighbour()>& make) {
    const Digest digest = digest_of(neighbour);
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = by_digest_.find(digest); found != by_digest_.end()) {
            entries_.splice(entries_.begin(), entries_, found->second);
            return found->second->second;
        }
    }
    PassedNeighbour passed = make();
    put(digest, passed);
    return passed;
}

void UpperMemo::put(const Digest& digest, const PassedNeighbour& passed) {
    const size_t bytes = bytes_of(passed);
    if (bytes > most_bytes_) return;
    const std::lock_guard lock(mutex_);
    if (by_digest_.contains(digest)) return;  // another thread was faster
    entries_.emplace_front(digest, passed);
    try {
        by_digest_.emplace(digest, entries_.begin());
    } catch (...) {
        entries_.pop_front();
        throw;
    }
    bytes_ += bytes;
    while (bytes_ > most_bytes_) {
        bytes_ -= bytes_of(entries_.back().second);
        by_digest_.erase(entries_.back().first);
        entries_.pop_back();
    }
}

void UpperMemo::clear() {
    const std::lock_guard lock(mutex_);
    by_digest_.clear();
    entries_.clear();
    bytes_ = 0;
}

size_t UpperMemo::bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
}

}  // namespace rpt::engine
