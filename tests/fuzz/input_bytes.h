// The bytes of one input, taken as numbers and strings from front to back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rpt::fuzz {

// A value. When nothing is left, numbers are 0 and strings are empty.
class InputBytes {
  public:
    InputBytes(const uint8_t* data, size_t size)
        : bytes_(reinterpret_cast<const char*>(data), size) {}
    explicit InputBytes(std::string_view bytes) : bytes_(bytes) {}

    bool empty() const { return bytes_.empty(); }
    size_t left() const { return bytes_.size(); }
    uint8_t byte() {
        const std::string_view taken = take(1);
        return taken.empty() ? uint8_t(0) : uint8_t(taken[0]);
    }
    // Little-endian, `width` bytes.
    uint64_t number(size_t width) {
        uint64_t value = 0;
        for (size_t i = 0; i < width; ++i) value |= uint64_t(byte()) << (8 * i);
        return value;
    }
    // In [0, n); takes as many bytes as n needs.
    uint64_t below(uint64_t n) {
        size_t width = 1;
        while (width < 8 && (n >> (8 * width)) != 0) ++width;
        return n == 0 ? 0 : number(width) % n;
    }
    std::string_view take(size_t n) {
        const std::string_view taken = bytes_.substr(0, n);
        bytes_.remove_prefix(taken.size());
        return taken;
    }
    // Up to `mark`, which is dropped, or to the end.
    std::string_view take_until(char mark) {
        const size_t at = std::min(bytes_.find(mark), bytes_.size());
        const std::string_view taken = take(at);
        bytes_.remove_prefix(std::min<size_t>(1, bytes_.size()));
        return taken;
    }
    std::string_view rest() { return take(bytes_.size()); }

  private:
    std::string_view bytes_;
};

}  // namespace rpt::fuzz
