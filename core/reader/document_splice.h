// What a change in the middle of a document does to its segments.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/reader/document_writer.h"
#include "core/reader/segment_encoder.h"
#include "core/text/segmenter.h"

namespace rpt::reader {

// Tokens that segment `index` of a stored document may see.
std::vector<int32_t> context_before(const storage::DocumentWriter& document,
                                    std::span<const storage::SegmentInfo> segments, size_t index,
                                    const SegmentEncoder& encoder);

// One of the segments has this identity: an edit that brings it once may name it again as known.
bool brings(std::span<const storage::SegmentRecord> segments, const Digest& identity);

struct SplicePlan {
    storage::Edit edit;
    std::vector<std::vector<int32_t>> contexts;  // of edit.segments
    SpliceResult result;

    // A segment that was known when the plan was made and is lost now.
    void encode(size_t segment, const SegmentEncoder& encoder);
};

// The bytes `where` of a document whose text is kept become `bytes`. Cuts anew from the last border
// that cannot know of the change, up to the first that is an old one again and whose segment sees
// what it saw: borders depend on bytes nearby and segments on a bounded context, so that what lies
// farther away stays.
SplicePlan plan_splice(const storage::DocumentWriter& document, storage::Space& space,
                       const SegmentEncoder& encoder, text::SegmenterOptions borders,
                       ByteSpan where, std::string_view bytes, const CallControl& control);

}  // namespace rpt::reader
