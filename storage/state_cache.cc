#include "storage/state_cache.h"

namespace rpt::storage {

StateCache::States StateCache::find(uint64_t chunk) {
    const std::lock_guard guard(mutex_);
    const auto place = places_.find(chunk);
    if (place == places_.end()) {
        ++figures_.misses;
        return nullptr;
    }
    ++figures_.hits;
    entries_.splice(entries_.begin(), entries_, place->second);
    return place->second->states;
}

void StateCache::insert(uint64_t chunk, States states) {
    const uint64_t bytes = states->size() * sizeof(float);
    const std::lock_guard guard(mutex_);
    if (bytes > limit_ || places_.contains(chunk)) return;
    entries_.push_front({chunk, std::move(states)});
    places_[chunk] = entries_.begin();
    figures_.bytes += bytes;
    while (figures_.bytes > limit_) erase_locked(entries_.back().chunk);
}

void StateCache::set_limit(uint64_t bytes) {
    const std::lock_guard guard(mutex_);
    limit_ = bytes;
    while (figures_.bytes > limit_) erase_locked(entries_.back().chunk);
}

void StateCache::erase(std::span<const uint64_t> chunks) {
    const std::lock_guard guard(mutex_);
    for (const uint64_t chunk : chunks) erase_locked(chunk);
}

void StateCache::clear() {
    const std::lock_guard guard(mutex_);
    entries_.clear();
    places_.clear();
    figures_.bytes = 0;
}

StateCache::Figures StateCache::figures() const {
    const std::lock_guard guard(mutex_);
    return figures_;
}

void StateCache::erase_locked(uint64_t chunk) {
    const auto place = places_.find(chunk);
    if (place == places_.end()) return;
    figures_.bytes -= place->second->states->size() * sizeof(float);
    entries_.erase(place->second);
    places_.erase(place);
}

}  // namespace rpt::storage
