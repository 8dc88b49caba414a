#include "apps/rpt/text_decoder.h"

#include <gtest/gtest.h>

namespace rpt::cli {
namespace {

using Utf8 = TextDecoder::Utf8;

struct Decoded {
    bool good = true;
    std::string text, problem;
};

Decoded decode(std::string_view bytes, size_t piece, const std::string& encoding = "",
               bool lossy = false, Utf8 utf8 = Utf8::kPass) {
    TextDecoder decoder(encoding, lossy, utf8);
    Decoded out;
    for (size_t at = 0; at < bytes.size() && out.good; at += piece)
        out.good = decoder.feed(bytes.substr(at, piece), out.text);
    out.good = out.good && decoder.finish(out.text);
    if (!out.good) out.problem = decoder.problem();
    return out;
}

// "Löwe 😀\n" with two bytes a unit, by hand.
std::string utf16(bool big) {
    std::string out;
    for (const unsigned unit : {0xFEFFu, unsigned{'L'}, 0xF6u, unsigned{'w'}, unsigned{'e'},
                                unsigned{' '}, 0xD83Du, 0xDE00u, unsigned{'\n'}}) {
        const char high = static_cast<char>(unit >> 8), low = static_cast<char>(unit & 0xFF);
        out += big ? high : low;
        out += big ? low : high;
    }
    return out;
}
std::string utf32(bool big) {
    std::string out;
    for (const unsigned point : {0xFEFFu, unsigned{'L'}, 0xF6u, unsigned{'w'}, unsigned{'e'},
                                 unsigned{' '}, 0x1F600u, unsigned{'\n'}}) {
        for (int i = 0; i < 4; ++i)
            out += static_cast<char>(point >> (8 * (big ? 3 - i : i)) & 0xFF);
    }
    return out;
}
const std::string kText = "L\xC3\xB6we \xF0\x9F\x98\x80\n";

TEST(text_decoder, reads_what_a_mark_names_for_every_split) {
    for (const std::string& bytes :
         {utf16(false), utf16(true), utf32(false), utf32(true), "\xEF\xBB\xBF" + kText, kText}) {
        for (size_t piece = 1; piece <= bytes.size(); ++piece) {
            const Decoded got = decode(bytes, piece);
            ASSERT_TRUE(got.good) << got.problem;
            ASSERT_EQ(got.text, kText) << piece;
        }
    }
}

TEST(text_decoder, only_the_first_mark_is_none_of_the_text) {
    EXPECT_EQ(decode("\xEF\xBB\xBF\xEF\xBB\xBFx", 1).text, "\xEF\xBB\xBFx");
    EXPECT_EQ(decode("\xEF\xBB", 1).text, "\xEF\xBB");
    EXPECT_EQ(decode("", 1).text, "");
    EXPECT_EQ(decode("\xFF\xFE", 1).text, "");
}

TEST(text_decoder, encoding_counts_without_a_mark) {
    EXPECT_EQ(decode("L\xF6we", 1, "latin1").text, "L\xC3\xB6we");
    EXPECT_EQ(decode("L\xF6we", 4, "windows-1252").text, "L\xC3\xB6we");
    EXPECT_EQ(decode("\x93\xFA\x96\x7B", 1, "shift_jis").text, "\xE6\x97\xA5\xE6\x9C\xAC");
    EXPECT_EQ(decode(utf16(true).substr(2), 3, "utf-16be").text, kText);
    EXPECT_EQ(decode(utf16(true), 3, "latin1").text, kText);
    EXPECT_EQ(decode(kText, 2, "utf-8").text, kText);
}

TEST(text_decoder, invalid_bytes_are_told_with_their_place_or_replaced) {
    const std::string broken =
        utf16(false).substr(0, 4) + std::string("\x00\xDC", 2) + "x" + std::string(1, '\0');
    const Decoded strict = decode(broken, 1);
    EXPECT_FALSE(strict.good);
    EXPECT_EQ(strict.text, "L");
    EXPECT_EQ(strict.problem, "not UTF-16LE at byte 4");
    EXPECT_EQ(decode(broken, 1, "", true).text, "L\xEF\xBF\xBDx");
    EXPECT_EQ(decode(utf16(false).substr(0, 5), 2).problem, "not UTF-16LE at byte 4");
    EXPECT_EQ(decode("a\xFFz", 1, "", true, Utf8::kCheck).text, "a\xEF\xBF\xBDz");
    EXPECT_EQ(decode("a\xFFz", 1).text, "a\xFFz");
}

TEST(text_decoder, knows_names_of_iconv_alone) {
    EXPECT_TRUE(knows_encoding("ISO-8859-15"));
    EXPECT_FALSE(knows_encoding("klingon"));
    EXPECT_FALSE(knows_encoding("latin1//IGNORE"));
}

}  // namespace
}  // namespace rpt::cli
