// What a change in the middle of a document does to its segments.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/reader/document_writer.h"
#include "core/reader/segment_encoder.h"
#include "core/reader/waiting_segments.h"
#include "core/text/segmenter.h"

namespace rpt::reader {

// Tokens that segment `index` of a stored document may see.
std::vector<int32_t> context_before(const storage::DocumentWriter& document,
                                    std::span<const storage::SegmentInfo> segments, size_t index,
                                    const SegmentEncoder& encoder);

struct SplicePlan {
    storage::Edit edit;        // without its segments
    WaitingSegments segments;  // those of the edit
    SpliceResult result;
};

// The bytes `where` of a document whose text is kept become `bytes`. Cuts anew from the last border
// that cannot know of the change, up to the first that is an old one again and whose segment sees
// what it saw: borders depend on bytes nearby and segments on a bounded context, so that what lies
// farther away stays. New segments of more than one commit (commit_bytes()) are staged in the store
// as they are made; the edit itself is one commit all the same.
SplicePlan plan_splice(storage::DocumentWriter& document, storage::Space& space,
                       const SegmentEncoder& encoder, text::SegmenterOptions borders,
                       ByteSpan where, std::string_view bytes, const CallControl& control);

}  // namespace rpt::reader
