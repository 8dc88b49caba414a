// Letter, number, space or other: the four classes of the pre-tokenisation rule.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rpt {

enum class CharClass : uint8_t { kOther = 0, kLetter = 1, kNumber = 2, kSpace = 3 };

namespace detail {
// Two bits a code point, 256 code points a page; equal pages are stored once (unicode_tables.cc).
extern const uint8_t kClassPageIndex[0x110000 / 256];
extern const uint8_t kClassPages[];
}  // namespace detail

// `point` <= U+10FFFF.
inline CharClass class_of(char32_t point) {
    const uint8_t* page = detail::kClassPages + detail::kClassPageIndex[point >> 8] * 64;
    return CharClass(page[(point & 255) >> 2] >> ((point & 3) * 2) & 3);
}

struct CodePoint {
    char32_t value;
    uint32_t size;  // bytes
};

// The code point at `at` < text.size(). Text is valid UTF-8 by contract; a stray byte counts as
// U+FFFD of one byte, so that a broken promise costs tokens, never memory safety.
inline CodePoint code_point_at(std::string_view text, size_t at) {
    const auto byte = [&](size_t i) { return uint32_t(uint8_t(text[at + i])); };
    const auto tail = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
    const size_t left = text.size() - at;
    const uint32_t lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    if (lead < 0xE0 && lead >= 0xC2 && left >= 2 && tail(1))
        return {(lead & 31) << 6 | (byte(1) & 63), 2};
    if (lead >= 0xE0 && lead < 0xF0 && left >= 3 && tail(1) && tail(2))
        return {(lead & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63), 3};
    if (lead >= 0xF0 && lead < 0xF5 && left >= 4 && tail(1) && tail(2) && tail(3)) {
        const char32_t value =
            (lead & 7) << 18 | (byte(1) & 63) << 12 | (byte(2) & 63) << 6 | (byte(3) & 63);
        if (value <= 0x10FFFF) return {value, 4};
    }
    return {0xFFFD, 1};
}

namespace detail {
constexpr std::array<CharClass, 128> make_ascii_classes() {
    std::array<CharClass, 128> table{};
    for (int c = 0; c < 128; ++c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool number = c >= '0' && c <= '9';
        const bool space = c == ' ' || (c >= 9 && c <= 13);
        table[size_t(c)] = letter   ? CharClass::kLetter
                           : number ? CharClass::kNumber
                           : space  ? CharClass::kSpace
                                    : CharClass::kOther;
    }
    return table;
}
inline constexpr std::array<CharClass, 128> kAsciiClasses = make_ascii_classes();
}  // namespace detail

struct Classified {
    CharClass kind;
    uint32_t size;  // bytes
};

// The class of the code point at `at` < text.size().
inline Classified classify(std::string_view text, size_t at) {
    const uint8_t byte = uint8_t(text[at]);
    if (byte < 128) return {detail::kAsciiClasses[byte], 1};
    const CodePoint point = code_point_at(text, at);
    return {class_of(point.value), point.size};
}

}  // namespace rpt
