// Whether bytes are UTF-8: enough to tell text from other files before any of it is read into a
// memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rpt::cli {

// Bytes of the code point at the start of `text`, 0 if there is none (invalid or cut).
size_t code_point_size(std::string_view text);

// Fed with pieces of any size.
class Utf8Scan {
  public:
    // The offset of the first invalid byte, if this piece has it.
    std::optional<uint64_t> feed(std::string_view piece);
    // After the last piece: the offset of a code point that was cut.
    std::optional<uint64_t> finish() const;
    // Bytes of whole characters so far.
    uint64_t offset() const { return offset_; }

  private:
    std::string pending_;  // an unfinished code point, at most 3 bytes
    uint64_t offset_ = 0;  // of pending_
};

}  // namespace rpt::cli
