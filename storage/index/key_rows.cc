#include "storage/index/key_rows.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/error.h"
#include "base/dot_rows.h"

namespace rpt::storage {

static_assert(std::endian::native == std::endian::little, "keys are copied from disk as they are");

void KeyRows::Free::operator()(uint16_t* keys) const {
    std::free(keys);
}

KeyRows::KeyRows(uint32_t dim) : dim_(dim), columns_(padded_columns(dim)) {}

KeyRows::KeyRows(uint32_t dim, std::vector<RowFacts> facts, const uint16_t* keys,
                 std::shared_ptr<const void> owner)
    : dim_(dim),
      columns_(padded_columns(dim)),
      facts_(std::move(facts)),
      owner_(std::move(owner)),
      keys_(keys) {
    RPT_CHECK(owner_ != nullptr);
}

// realloc() moves large blocks by their pages: growing takes neither the time of a copy nor room
// for two.
void KeyRows::grow(size_t n) {
    RPT_CHECK(owner_ == nullptr);
    if (n <= capacity_) return;
    void* moved = std::realloc(own_.get(), n * columns_ * sizeof(uint16_t));
    if (moved == nullptr) throw std::bad_alloc();
    static_cast<void>(own_.release());
    own_.reset(static_cast<uint16_t*>(moved));
    keys_ = own_.get();
    capacity_ = n;
}

void KeyRows::push(const RowFacts& facts, std::string_view blob) {
    RPT_CHECK(blob.size() == size_t(dim_) * 2);
    RPT_CHECK(facts_.empty() || facts_.back().chunk < facts.chunk);
    if (facts_.size() == capacity_) grow(capacity_ + std::max<size_t>(1, capacity_ / 2));
    uint16_t* key = own_.get() + facts_.size() * columns_;
    facts_.push_back(facts);
    std::memcpy(key, blob.data(), blob.size());
    std::fill(key + dim_, key + columns_, uint16_t(0));
}

void KeyRows::push_from(const KeyRows& other, size_t row) {
    RPT_CHECK(other.dim_ == dim_);
    push(other.facts(row), {reinterpret_cast<const char*>(other.key(row)), size_t(dim_) * 2});
}

void KeyRows::reserve(size_t n) {
    facts_.reserve(n);
    grow(n);
}

size_t KeyRows::first_from(uint64_t chunk, size_t from) const {
    size_t step = 1;
    while (from + step < size() && facts_[from + step].chunk < chunk) step *= 2;
    const auto begin = facts_.begin() + static_cast<ptrdiff_t>(from);
    const auto end = facts_.begin() + static_cast<ptrdiff_t>(std::min(size(), from + step + 1));
    return static_cast<size_t>(std::ranges::lower_bound(begin, end, chunk, {}, &RowFacts::chunk) -
                               facts_.begin());
}

int64_t KeyRows::find(uint64_t chunk) const {
    const auto at = std::ranges::lower_bound(facts_, chunk, {}, &RowFacts::chunk);
    return at != facts_.end() && at->chunk == chunk ? at - facts_.begin() : -1;
}

}  // namespace rpt::storage
