#include "core/reader/source_map.h"

#include "base/error.h"

namespace rpt::reader {

void SourceMap::add(uint64_t text_bytes, uint64_t source_bytes) {
    // An invalid part of three bytes is as long as U+FFFD and counts as byte for byte too: splits
    // do not change that.
    const bool exact = text_bytes == source_bytes;
    if (exact && !stretches_.empty() && stretches_.back().exact()) {
        stretches_.back().text_end += text_bytes;
        stretches_.back().source_end += source_bytes;
    } else {
        stretches_.push_back(
            {text_end_, text_end_ + text_bytes, source_end_, source_end_ + source_bytes});
    }
    text_end_ += text_bytes;
    source_end_ += source_bytes;
}

uint64_t SourceMap::source_of(uint64_t text_offset) const {
    RPT_CHECK(text_offset <= text_end_);
    if (text_offset == text_end_) return source_end_;
    for (const Stretch& stretch : stretches_) {
        if (text_offset >= stretch.text_end) continue;
        RPT_CHECK(text_offset >= stretch.text_begin);
        return stretch.exact() ? stretch.source_begin + (text_offset - stretch.text_begin)
                               : stretch.source_begin;
    }
    return source_end_;
}

void SourceMap::forget_before(uint64_t text_offset) {
    while (!stretches_.empty() && stretches_.front().text_end <= text_offset)
        stretches_.pop_front();
}

}  // namespace rpt::reader
