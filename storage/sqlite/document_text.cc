#include "storage/sqlite/document_text.h"

#include <algorithm>

#include "base/error.h"
#include "storage/sqlite/chunk_table.h"

namespace rpt::storage {

std::vector<SegmentInfo> list_segment_infos(Connection& connection, std::span<const Place> places) {
    std::vector<SegmentInfo> infos;
    uint64_t begin = 0;
    for (const Place& place : places) {
        const SegmentRow row = require_segment(connection, place.segment);
        infos.push_back({row.id, row.identity, {begin, begin + place.bytes}, place.chunks});
        begin += place.bytes;
    }
    return infos;
}

void append_place_text(Connection& connection, uint64_t segment, uint64_t begin,
                       std::string_view key, ByteSpan bytes, std::string& text) {
    const SegmentRow row = require_segment(connection, segment);
    if (row.text_discarded)
        throw Error(Status::kUnsupported, "rpt",
                    "the text of \"" + std::string(key) +
                        "\" was not kept; read the document again without discarding it");
    const std::string part = read_segment_text(connection, row);
    const uint64_t from = std::max(bytes.begin, begin) - begin;
    text.append(part, from, std::min(bytes.end, begin + part.size()) - begin - from);
}

std::string read_places_text(Connection& connection, std::span<const Place> places,
                             std::string_view key, ByteSpan bytes) {
    std::string text;
    uint64_t begin = 0;
    for (const Place& place : places) {
        const uint64_t end = begin + place.bytes;
        if (begin >= bytes.end) break;
        if (end > bytes.begin)
            append_place_text(connection, place.segment, begin, key, bytes, text);
        begin = end;
    }
    return text;
}

std::vector<int32_t> read_segment_tokens(Connection& connection, uint64_t segment) {
    std::vector<int32_t> tokens;
    for (const ChunkRow& chunk : list_chunks(connection, segment)) {
        const std::vector<int32_t> part = read_tokens(connection, chunk);
        tokens.insert(tokens.end(), part.begin(), part.end());
    }
    return tokens;
}

}  // namespace rpt::storage
