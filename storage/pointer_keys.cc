#include "storage/pointer_keys.h"

#include <utility>

namespace rpt::storage {

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
}

PointerSlice PointerPage::slice(size_t i) const {
    const size_t first = begins_[i], n = begins_[i + 1] - first;
    return {chunks_[i], std::span(tokens_).subspan(first, n), std::span(scales_).subspan(first, n),
            std::span(nibbles_).subspan(first * row_bytes_, n * row_bytes_)};
}

uint64_t PointerPage::memory_bytes() const {
    return sizeof(PointerPage) + chunks_.size() * sizeof(PointerSnapshot::Part) +
           chunks_.size() * 8 + begins_.size() * 4 + tokens_.size() * 8 + nibbles_.size();
}

void PointerSnapshot::add(std::shared_ptr<const PointerPage> page) {
    for (size_t i = 0; i < page->chunks(); ++i)
        parts.push_back({page.get(), static_cast<uint32_t>(i), -1});
    tokens += page->rows();
    memory_bytes += page->memory_bytes();
    pages.push_back(std::move(page));
}

}  // namespace rpt::storage
