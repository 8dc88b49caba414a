#include "core/text/utf8_gate.h"

#include <gtest/gtest.h>

#include <random>

#include "base/error.h"

namespace rpt::text {

namespace {

using Mode = Utf8Gate::Mode;

std::string joined(const std::vector<Utf8Gate::Piece>& pieces) {
    std::string text;
    for (const auto& piece : pieces) text += piece.text;
    return text;
}

uint64_t sources(const std::vector<Utf8Gate::Piece>& pieces) {
    uint64_t bytes = 0;
    for (const auto& piece : pieces) bytes += piece.source_bytes;
    return bytes;
}

// All of `bytes` at once.
std::vector<Utf8Gate::Piece> replaced(std::string_view bytes) {
    Utf8Gate gate(Mode::kReplace);
    auto pieces = gate.append(bytes);
    for (auto& piece : gate.finish()) pieces.push_back(piece);
    return pieces;
}

int64_t refused_at(Utf8Gate& gate, std::string_view bytes) {
    try {
        gate.append(bytes);
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kUtf8);
        return error.offset();
    }
    return -1;
}

const char* const kR = "\xEF\xBF\xBD";

}  // namespace

TEST(Utf8Gate, replaces_each_maximal_invalid_part_once) {
    const std::string r = kR;
    const std::pair<std::string, std::string> cases[] = {
        // the examples of the Unicode standard, section 3.9
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", r + r + r + r + r + r + r + r + "A"},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", r + r + r + r + r + r + r + r + "A"},
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", r + r + r + r + r + "A" + r + r + "B"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", r + r + r + r + "A"},
        {"a\xE2\x82", "a" + r},
        {"\xE2\x82\xAC", "\xE2\x82\xAC"},
        {std::string("\0\x80", 2), std::string("\0", 1) + r},
        {"", ""},
    };
    for (const auto& [bytes, wanted] : cases) {
        EXPECT_EQ(joined(replaced(bytes)), wanted);
        EXPECT_EQ(sources(replaced(bytes)), bytes.size());
    }
}

TEST(Utf8Gate, pieces_account_for_every_source_byte) {
    const auto pieces = replaced(
        "ab\xF0\x9F\x98"
        "c\xFF");
    ASSERT_EQ(pieces.size(), 4u);
    EXPECT_EQ(pieces[0].text, "ab");
    EXPECT_EQ(pieces[0].source_bytes, 2u);
    EXPECT_EQ(pieces[1].text, kR);
    EXPECT_EQ(pieces[1].source_bytes, 3u);
    EXPECT_EQ(pieces[2].text, "c");
    EXPECT_EQ(pieces[3].source_bytes, 1u);
}

TEST(Utf8Gate, refusing_names_the_offset_and_takes_nothing) {
    Utf8Gate gate;
    EXPECT_EQ(joined(gate.append("abc\xE2\x82")), "abc");
    EXPECT_EQ(gate.pending(), 2u);
    EXPECT_EQ(gate.offset(), 5u);
    EXPECT_EQ(refused_at(gate, "xyz"), 3);  // the code point begun at 3 cannot go on with x
    EXPECT_EQ(refused_at(gate, "\xAC ok \xFF"), 10);
    EXPECT_EQ(gate.pending(), 2u);
    EXPECT_EQ(gate.offset(), 5u);
    EXPECT_THROW(gate.finish(), Error);
    EXPECT_EQ(joined(gate.append("\xAC!")), "\xE2\x82\xAC!");
    EXPECT_EQ(gate.offset(), 7u);
    EXPECT_TRUE(gate.finish().empty());
}

TEST(Utf8Gate, finish_replaces_an_unfinished_code_point) {
    Utf8Gate gate(Mode::kReplace);
    gate.append("x\xF0\x9F\x98");
    EXPECT_EQ(gate.pending(), 3u);
    const auto pieces = gate.finish();
    ASSERT_EQ(pieces.size(), 1u);
    EXPECT_EQ(pieces[0].source_bytes, 3u);
    EXPECT_EQ(gate.pending(), 0u);
}

TEST(Utf8Gate, output_does_not_depend_on_how_the_bytes_were_split) {
    std::mt19937 random(11);
    const std::string fragments[] = {"a",        "é",    "€",    "😀",        "\xE2\x82",
                                     "\xF0\x9F", "\xFF", "\x80", "\xED\xA0", "\xC0"};
    for (int round = 0; round < 3000; ++round) {
        std::string bytes;
        for (size_t i = random() % 20; i > 0; --i)
            bytes += fragments[random() % std::size(fragments)];
        Utf8Gate gate(Mode::kReplace);
        std::string text;
        uint64_t taken = 0;
        const auto take = [&](const std::vector<Utf8Gate::Piece>& pieces) {
            text += joined(pieces);
            taken += sources(pieces);
            for (const auto& piece : pieces)
                EXPECT_TRUE(piece.text == kR || piece.text.size() == piece.source_bytes);
        };
        for (size_t at = 0; at < bytes.size();) {
            const size_t size = 1 + random() % 4;
            take(gate.append(std::string_view(bytes).substr(at, size)));
            EXPECT_LE(gate.pending(), 3u);
            at += size;
        }
        take(gate.finish());
        EXPECT_EQ(text, joined(replaced(bytes)));
        EXPECT_EQ(taken, bytes.size());
        EXPECT_EQ(valid_utf8_prefix(text), text.size());

        // a refusing gate finds the same first fault
        const size_t valid = valid_utf8_prefix(bytes);
        Utf8Gate strict;
        const int64_t at = refused_at(strict, bytes);
        EXPECT_TRUE(at == (valid + strict.pending() == bytes.size() ? -1 : int64_t(valid)));
    }
}

TEST(Utf8Gate, valid_prefix_accepts_exactly_the_scalar_values) {
    for (uint32_t point = 0; point < 0x110000; ++point) {
        std::string text;
        if (point < 0x80) {
            text = {char(point)};
        } else if (point < 0x800) {
            text = {char(0xC0 | point >> 6), char(0x80 | (point & 63))};
        } else if (point < 0x10000) {
            text = {char(0xE0 | point >> 12), char(0x80 | (point >> 6 & 63)),
                    char(0x80 | (point & 63))};
        } else {
            text = {char(0xF0 | point >> 18), char(0x80 | (point >> 12 & 63)),
                    char(0x80 | (point >> 6 & 63)), char(0x80 | (point & 63))};
        }
        const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
        ASSERT_EQ(valid_utf8_prefix(text), surrogate ? 0 : text.size()) << point;
    }
}

}  // namespace rpt::text
