#include "storage/key_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/sha256.h"
#include "storage/dot_rows.h"

namespace rpt::storage {

static_assert(std::endian::native == std::endian::little, "keys are copied from disk as they are");

uint64_t hash_key(std::string_view document_key) {
    const Digest digest = sha256(document_key.data(), document_key.size());
    uint64_t hash;
    std::memcpy(&hash, digest.data(), sizeof hash);
    return hash;
}

KeyRows::KeyRows(uint32_t dim) : dim_(dim), columns_(padded_columns(dim)) {}

void KeyRows::push(const RowFacts& facts, std::string_view blob) {
    RPT_CHECK(blob.size() == size_t(dim_) * 2);
    RPT_CHECK(facts_.empty() || facts_.back().chunk < facts.chunk);
    keys_.resize(keys_.size() + columns_);
    std::memcpy(keys_.data() + facts_.size() * columns_, blob.data(), blob.size());
    facts_.push_back(facts);
}

void KeyRows::push_from(const KeyRows& other, size_t row) {
    RPT_CHECK(other.dim_ == dim_);
    push(other.facts(row), {reinterpret_cast<const char*>(other.key(row)), size_t(dim_) * 2});
}

void KeyRows::reserve(size_t n) {
    facts_.reserve(n);
    keys_.reserve(n * columns_);
}

int64_t KeyRows::find(uint64_t chunk) const {
    const auto at = std::ranges::lower_bound(facts_, chunk, {}, &RowFacts::chunk);
    return at != facts_.end() && at->chunk == chunk ? at - facts_.begin() : -1;
}

}  // namespace rpt::storage
