#include "core/reader/document_splice.h"

#include <algorithm>
#include <string>
#include <utility>

namespace rpt::reader {
namespace {

// How far from a border the bytes that decide about it may lie; a forced border's place moves by up
// to three bytes within a code point.
constexpr uint64_t kBorderMargin = 8;

constexpr size_t kSlice = 1 << 16;  // bytes of the new text that are cut at once

// The new text from where cutting begins, piece by piece: what stays before the change, the new
// bytes, what stays behind it.
class NewText {
  public:
    NewText(const storage::DocumentWriter& document, std::span<const storage::SegmentInfo> segments,
            uint64_t begin, ByteSpan where, std::string_view bytes)
        : document_(document), segments_(segments), where_(where), bytes_(bytes), at_(begin) {}

    // Empty at the end.
    std::string next() {
        if (at_ < where_.begin) {
            std::string text = document_.read_text({at_, where_.begin});
            at_ = where_.begin;
            return text;
        }
        if (!bytes_.empty()) {
            std::string text(bytes_.substr(0, kSlice));
            bytes_.remove_prefix(text.size());
            return text;
        }
        at_ = std::max(at_, where_.end);
        while (segment_ < segments_.size() && segments_[segment_].bytes.end <= at_) ++segment_;
        if (segment_ == segments_.size()) return {};
        std::string text = document_.read_text({at_, segments_[segment_].bytes.end});
        at_ = segments_[segment_].bytes.end;
        return text;
    }

  private:
    const storage::DocumentWriter& document_;
    const std::span<const storage::SegmentInfo> segments_;
    const ByteSpan where_;
    std::string_view bytes_;  // not given yet
    uint64_t at_;             // in the old text
    size_t segment_ = 0;      // none before it ends behind at_
};

size_t first_to_cut(std::span<const storage::SegmentInfo> segments, uint64_t change,
                    uint64_t half_window) {
    // A store that was upgraded has segments that no border made: then all is cut anew.
    const auto is_foreign = [](const storage::SegmentInfo& s) { return s.identity == Digest{}; };
    if (segments.size() > 1 && std::ranges::any_of(segments.first(segments.size() - 1), is_foreign))
        return 0;
    size_t first = 0;
    for (size_t i = 0; i < segments.size(); ++i)
        if (segments[i].bytes.begin + half_window + kBorderMargin < change) first = i;
    return first;
}

}  // namespace

std::vector<int32_t> context_before(const storage::DocumentWriter& document,
                                    std::span<const storage::SegmentInfo> segments, size_t index,
                                    const SegmentEncoder& encoder) {
    std::vector<int32_t> context;
    while (index > 0 && context.size() + 1 < encoder.context_tokens()) {
        --index;
        std::vector<int32_t> tokens = document.read_tokens(segments[index].id);
        tokens.insert(tokens.end(), context.begin(), context.end());
        context = encoder.context_behind({}, tokens);
    }
    return context;
}

SplicePlan plan_splice(storage::DocumentWriter& document, storage::Space& space,
                       const SegmentEncoder& encoder, text::SegmenterOptions borders,
                       ByteSpan where, std::string_view bytes, const CallControl& control) {
    const std::vector<storage::SegmentInfo> segments = document.segments();
    SplicePlan plan{{}, WaitingSegments(encoder), {}};
    const size_t first = first_to_cut(segments, where.begin, borders.half_window);
    const uint64_t begin = segments.empty() ? 0 : segments[first].bytes.begin;
    std::vector<int32_t> context = context_before(document, segments, first, encoder);
    const auto close = [&](std::string text) {
        control.check();
        plan.result.tokens += plan.segments.add(std::move(text), context, space, false);
        if (plan.segments.bytes() >= document.commit_bytes())
            plan.segments.stage(document, control);
    };

    const uint64_t left = begin - std::min<uint64_t>(begin, text::Segmenter::left_bytes(borders));
    text::Segmenter segmenter = text::Segmenter::resume(document.read_text({left, begin}), borders);
    NewText source(document, segments, begin, where, bytes);
    const uint64_t change_end = where.begin + bytes.size();  // in the new text
    // An old border at this place of the new text, behind which all segments see what they saw. The
    // whole context must be the old one, not the whole chunks of it that the next segment reads:
    // near the begin of a document later segments read more.
    const auto is_old_again = [&](uint64_t place) -> size_t {
        if (place < change_end + text::Segmenter::left_bytes(borders) + kBorderMargin) return 0;
        const uint64_t old = place - change_end + where.end;
        const auto segment = std::ranges::lower_bound(
            segments, old, {}, [](const auto& info) { return info.bytes.begin; });
        if (segment == segments.end() || segment->bytes.begin != old ||
            segment->identity == Digest{})
            return 0;
        const auto index = static_cast<size_t>(segment - segments.begin());
        return context == context_before(document, segments, index, encoder) ? index : 0;
    };

    std::string open;
    uint64_t open_begin = begin;  // in the new text
    size_t kept = 0;              // first old segment that stays; 0: none
    while (kept == 0) {
        const std::string piece = source.next();
        if (piece.empty()) break;
        open += piece;
        std::vector<uint64_t> found;
        segmenter.append(piece, found);
        for (const uint64_t border : found) {
            const uint64_t place = begin + border;
            close(open.substr(0, place - open_begin));
            open.erase(0, place - open_begin);
            open_begin = place;
            if ((kept = is_old_again(place)) != 0) break;
        }
    }
    if (kept == 0 && !open.empty()) {
        open_begin += open.size();
        close(std::move(open));
    }
    plan.edit.first = first;
    plan.edit.n_old = (kept == 0 ? segments.size() : kept) - first;
    plan.result.bytes = {begin, open_begin};
    return plan;
}

}  // namespace rpt::reader
