#include "core/reader/document_splice.h"

#include <algorithm>
#include <string>
#include <utility>

namespace rpt::reader {
namespace {

// How far from a border the bytes that decide about it may lie; a forced border's place moves by up
// to three bytes within a code point.
constexpr uint64_t kBorderMargin = 8;

// The new text from where cutting begins, read piece by piece.
class NewText {
  public:
    NewText(const storage::DocumentWriter& document, std::span<const storage::SegmentInfo> segments,
            uint64_t begin, ByteSpan where, std::string_view bytes)
        : document_(document), segments_(segments), begin_(begin), where_(where), bytes_(bytes) {}

    // Empty at the end.
    std::string next() {
        if (!started_) {
            started_ = true;
            at_ = where_.end;
            std::string text = document_.read_text({begin_, where_.begin}) + std::string(bytes_);
            if (!text.empty()) return text;
        }
        const auto segment = std::ranges::find_if(
            segments_, [&](const storage::SegmentInfo& info) { return info.bytes.end > at_; });
        if (segment == segments_.end()) return {};
        std::string text = document_.read_text({at_, segment->bytes.end});
        at_ = segment->bytes.end;
        return text;
    }

  private:
    const storage::DocumentWriter& document_;
    std::span<const storage::SegmentInfo> segments_;
    const uint64_t begin_;
    const ByteSpan where_;
    const std::string_view bytes_;
    bool started_ = false;
    uint64_t at_ = 0;  // in the old text
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

bool brings(std::span<const storage::SegmentRecord> segments, const Digest& identity) {
    return std::ranges::find(segments, identity, &storage::SegmentRecord::identity) !=
           segments.end();
}

void SplicePlan::encode(size_t segment, const SegmentEncoder& encoder) {
    encoder.complete(edit.segments[segment], contexts[segment]);
}

SplicePlan plan_splice(const storage::DocumentWriter& document, storage::Space& space,
                       const SegmentEncoder& encoder, text::SegmenterOptions borders,
                       ByteSpan where, std::string_view bytes, const CallControl& control) {
    const std::vector<storage::SegmentInfo> segments = document.segments();
    SplicePlan plan;
    const size_t first = first_to_cut(segments, where.begin, borders.half_window);
    const uint64_t begin = segments.empty() ? 0 : segments[first].bytes.begin;
    std::vector<int32_t> context = context_before(document, segments, first, encoder);
    const auto close = [&](std::string text) {
        control.check();
        storage::SegmentRecord record;
        record.identity = encoder.identity(context, text, false);
        record.known =
            brings(plan.edit.segments, record.identity) || space.has_segment(record.identity);
        record.text = std::move(text);
        const SpannedTokens tokens = encoder.tokenise(record.text, true);
        if (!record.known) {
            record.chunks = encoder.encode(context, tokens, tokens.ids.size(), false);
            plan.result.tokens += tokens.ids.size();
        }
        std::vector<int32_t> next = encoder.context_behind(context, tokens.ids);
        plan.contexts.push_back(std::exchange(context, std::move(next)));
        plan.edit.segments.push_back(std::move(record));
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
        const auto segment = std::ranges::find_if(
            segments, [&](const auto& info) { return info.bytes.begin == old; });
        if (segment == segments.end() || segment->identity == Digest{}) return 0;
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
