// Documents that prove themselves: every chunk is a line with key, stamp, number and checksum, the
// last line has the checksum of all before it, and key and states of a chunk follow from its line.
// A mixture of two states of a store has no valid form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/store.h"

namespace rpt::many {

inline constexpr uint32_t kSignedDim = 32;
inline constexpr uint32_t kSignedTokens = 16;
inline constexpr uint32_t kSignedPointers = 24;
inline constexpr size_t kLinesPerSegment = 4;

storage::ModelBinding signed_model();

struct Line {
    std::string key;
    uint64_t stamp = 0;   // when it was written; differs between any two writes
    uint64_t number = 0;  // in its document
    bool last = false;
    std::string sum;  // of all lines before it, in the last one
};
// Without its line feed or with it. Absent if it is no whole valid line.
std::optional<Line> read_line(std::string_view text);

// kLinesPerSegment lines, the first with number `segment` * kLinesPerSegment.
std::string body_segment(const std::string& key, uint64_t stamp, size_t segment);
std::string last_segment(const std::string& key, uint64_t stamp, std::string_view before);
std::vector<std::string> lines_of(std::string_view text);
// A text as the segments it was written in.
std::vector<std::string> segments_of(std::string_view text);
// What is wrong with a text of document `key`; empty if nothing is. A finished one ends with its
// sum.
std::string fault_of_text(std::string_view text, const std::string& key, bool finished);

std::vector<float> key_of_line(std::string_view line);     // [kSignedDim]
std::vector<float> states_of_line(std::string_view line);  // [kSignedTokens, kSignedDim]
// But for the codec's loss.
bool states_fit(const std::vector<float>& stored, std::string_view line);

int32_t first_token_of_line(std::string_view line);
// That the rows and tokens are the line's.
bool pointers_fit(const storage::PointerSlice& stored, std::string_view line);

storage::SegmentRecord signed_segment(const std::string& text);

}  // namespace rpt::many
