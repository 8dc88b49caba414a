// A document read through its places: segments, original bytes, tokens. One connection, one thread;
// inside the caller's transaction.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "storage/sqlite/segment_table.h"

namespace rpt::storage {

std::vector<SegmentInfo> list_segment_infos(Connection& connection, std::span<const Place> places);
// Adds what lies within `bytes` of the document `key` of one of its segments, which begins at byte
// `begin`. kUnsupported if the text was discarded, kCorrupt.
void append_place_text(Connection& connection, uint64_t segment, uint64_t begin,
                       std::string_view key, ByteSpan bytes, std::string& text);
// The bytes of the document `key` within `bytes`, short only at the end. kUnsupported if the text
// was discarded, kCorrupt.
std::string read_places_text(Connection& connection, std::span<const Place> places,
                             std::string_view key, ByteSpan bytes);
// All tokens of a segment, in order.
std::vector<int32_t> read_segment_tokens(Connection& connection, uint64_t segment);

}  // namespace rpt::storage
