#include "apps/rpt/utf8_scan.h"

#include <gtest/gtest.h>

namespace rpt::cli {
namespace {

// The plain twin: decodes every code point and checks the range it must lie in.
std::optional<uint64_t> first_invalid(const std::string& text) {
    for (size_t at = 0; at < text.size();) {
        const auto byte = [&](size_t i) {
            return static_cast<uint32_t>(static_cast<unsigned char>(text[at + i]));
        };
        size_t size = byte(0) < 0x80       ? 1
                      : byte(0) >> 5 == 6  ? 2
                      : byte(0) >> 4 == 14 ? 3
                      : byte(0) >> 3 == 30 ? 4
                                           : 0;
        if (size == 0 || at + size > text.size()) return at;
        uint32_t point = size == 1 ? byte(0) : byte(0) & (0x7Fu >> size);
        for (size_t i = 1; i < size; ++i) {
            if (byte(i) >> 6 != 2) return at;
            point = point << 6 | (byte(i) & 0x3F);
        }
        static constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
        if (point < kLeast[size] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
            return at;
        at += size;
    }
    return std::nullopt;
}

std::optional<uint64_t> scan(const std::string& text, size_t piece) {
    Utf8Scan scanner;
    for (size_t at = 0; at < text.size(); at += piece) {
        if (auto bad = scanner.feed(std::string_view(text).substr(at, piece))) return bad;
    }
    return scanner.finish();
}

TEST(utf8_scan, agrees_with_decoding_for_every_split_and_two_byte_tail) {
    const std::string head = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
    for (int first = 0; first < 256; ++first) {
        for (int second = 0; second < 256; ++second) {
            for (const char* rest : {"", "\x80", "\x80\x80", "\xBFz"}) {
                const std::string text =
                    head + static_cast<char>(first) + static_cast<char>(second) + rest;
                const auto expected = first_invalid(text);
                for (size_t piece : {size_t{1}, size_t{3}, text.size()}) {
                    ASSERT_EQ(scan(text, piece), expected)
                        << first << " " << second << " " << piece;
                }
            }
        }
    }
}

TEST(utf8_scan, size_of_a_code_point_is_zero_for_cut_ones) {
    EXPECT_EQ(code_point_size("a"), 1u);
    EXPECT_EQ(code_point_size("\xE2\x82\xAC"), 3u);
    EXPECT_EQ(code_point_size("\xE2\x82"), 0u);
    EXPECT_EQ(code_point_size("\x80"), 0u);
    EXPECT_EQ(code_point_size(""), 0u);
}

}  // namespace
}  // namespace rpt::cli
