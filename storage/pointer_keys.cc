#include "storage/pointer_keys.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace rpt::storage {
namespace {

// Bits 3 and 7 of up to four bytes, the first number's lowest.
uint8_t signs_of(const uint8_t* bytes, size_t n) {
    uint32_t word = 0;
    for (size_t i = 0; i < n; ++i) word |= uint32_t{bytes[i]} << (8 * i);
    word = word >> 3 & 0x11111111;
    word = (word | word >> 3) & 0x03030303;
    word = (word | word >> 6) & 0x000f000f;
    return static_cast<uint8_t>(word | word >> 12);
}

// Whether the row is one of the sample: by its first bytes, which differ from row to row, and its
// place, which tells rows of equal bytes apart.
bool is_sampled(const uint8_t* row, size_t row_bytes, size_t place) {
    uint64_t hash = 0;
    std::memcpy(&hash, row, std::min(row_bytes, sizeof(hash)));
    // the finaliser of MurmurHash3
    hash += (place + 1) * 0x9e3779b97f4a7c15;
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
    return (hash ^ hash >> 33) % PointerPage::kSampleOneIn == 0;
}

}  // namespace

PointerPage::PointerPage(std::span<const PointerSlice> slices) {
    size_t rows = 0, bytes = 0;
    for (const PointerSlice& slice : slices) {
        rows += slice.tokens.size();
        bytes += slice.nibbles.size();
    }
    row_bytes_ = rows == 0 ? 0 : bytes / rows;
    chunks_.reserve(slices.size());
    begins_.reserve(slices.size() + 1);
    tokens_.reserve(rows);
    scales_.reserve(rows);
    nibbles_.reserve(bytes);
    for (const PointerSlice& slice : slices) {
        chunks_.push_back(slice.chunk);
        begins_.push_back(static_cast<uint32_t>(tokens_.size()));
        tokens_.insert(tokens_.end(), slice.tokens.begin(), slice.tokens.end());
        scales_.insert(scales_.end(), slice.scales.begin(), slice.scales.end());
        nibbles_.insert(nibbles_.end(), slice.nibbles.begin(), slice.nibbles.end());
    }
    begins_.push_back(static_cast<uint32_t>(tokens_.size()));
    look_at_rows();
}

void PointerPage::look_at_rows() {
    const size_t bytes = (row_bytes_ + 3) / 4;
    signs_.assign(blocks() * bytes * kBlock, 0);
    for (size_t i = 0; i < chunks(); ++i)
        for (size_t at = begins_[i]; at < begins_[i + 1]; ++at) {
            const uint8_t* row = nibbles_.data() + at * row_bytes_;
            const size_t block = at / kBlock, r = at % kBlock;
            const uint8_t turn = scales_[at] < 0 ? 0xff : 0;
            for (size_t p = 0; p < bytes; ++p)
                signs_[(block * bytes + p) * kBlock + r] =
                    turn ^ signs_of(row + 4 * p, std::min<size_t>(4, row_bytes_ - 4 * p));
            if (!is_sampled(row, row_bytes_, at - begins_[i])) continue;
            sample_.rows.push_back(static_cast<uint32_t>(at));
            sample_.scales.push_back(scales_[at]);
            sample_.nibbles.insert(sample_.nibbles.end(), row, row + row_bytes_);
        }
}

PointerSlice PointerPage::slice(size_t i) const {
    const size_t first = begins_[i], n = begins_[i + 1] - first;
    return {chunks_[i], std::span(tokens_).subspan(first, n), std::span(scales_).subspan(first, n),
            std::span(nibbles_).subspan(first * row_bytes_, n * row_bytes_)};
}

uint64_t PointerPage::memory_bytes() const {
    return sizeof(PointerPage) + chunks_.size() * sizeof(PointerSnapshot::Part) +
           chunks_.size() * 8 + begins_.size() * 4 + tokens_.size() * 8 + nibbles_.size() +
           signs_.size() + sample_.rows.capacity() * 4 + sample_.scales.capacity() * 4 +
           sample_.nibbles.capacity();
}

void PointerSnapshot::add(std::shared_ptr<const PointerPage> page) {
    for (size_t i = 0; i < page->chunks(); ++i)
        parts.push_back({page.get(), static_cast<uint32_t>(i), -1});
    tokens += page->rows();
    memory_bytes += page->memory_bytes();
    pages.push_back(std::move(page));
}

}  // namespace rpt::storage
