// Tokens do not depend on how the bytes arrive, and the fast paths equal their plain twins.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "core/text/bpe_trainer.h"
#include "core/text/tokenizer_impl.h"
#include "core/text/tokenizer_sections.h"
#include "core/text/utf8_gate.h"
#include "tests/property/rounds.h"

namespace rpt::text {

namespace {

class TextProperty : public ::testing::TestWithParam<PieceRule> {
  protected:
    static void append_utf8(std::string& text, uint32_t point) {
        if (point < 0x80) {
            text += char(point);
        } else if (point < 0x800) {
            text += {char(0xC0 | point >> 6), char(0x80 | (point & 63))};
        } else if (point < 0x10000) {
            if (point >= 0xD800 && point <= 0xDFFF) return;
            text += {char(0xE0 | point >> 12), char(0x80 | (point >> 6 & 63)),
                     char(0x80 | (point & 63))};
        } else {
            text += {char(0xF0 | point >> 18), char(0x80 | (point >> 12 & 63)),
                     char(0x80 | (point >> 6 & 63)), char(0x80 | (point & 63))};
        }
    }

    std::string random_text(size_t n_fragments) {
        static constexpr const char* kFragments[] = {
            "the ",       "reader",     " reads",     "don't", "'",      "'r",
            "'ll",        "  ",         "\n",         "\n\n",  " ",      "\t ",
            "\u3000",     "12",         "3.14",       "==",    "\u00e9", "\u65e5\u672c",
            "\U0001F600", "aaaaaaaa",   "----------", "ab",    "\u00b2", "\u0301",
            "'S",         "'\u017f",    "'Ll",        "\r\n",  "\r",     " \n  ",
            "!\n\r",      "\U00011DE3", "\x04",       "12345", ".a",     "\t'VE"};
        std::string text;
        for (size_t i = 0; i < n_fragments; ++i) {
            if (random() % 4)
                text += kFragments[random() % std::size(kFragments)];
            else
                append_utf8(text, uint32_t(random() % (random() % 2 ? 0x110000 : 0x300)));
        }
        return text;
    }

    std::shared_ptr<const Tokenizer> train(int32_t vocab_size) {
        BpeTrainer trainer;
        for (int i = 0; i < 200; ++i) trainer.add(random_text(50));
        auto json = nlohmann::json::parse(trainer.train(vocab_size)->to_json());
        json["pre_tokenizer"] = nlohmann::json::parse(write_pre_tokenizer(GetParam()));
        return Tokenizer::from_json(json.dump());
    }

    static std::vector<std::pair<int32_t, uint32_t>> plain(const std::vector<Token>& tokens) {
        std::vector<std::pair<int32_t, uint32_t>> pairs;
        for (const Token& token : tokens) pairs.emplace_back(token.id, token.size);
        return pairs;
    }

    std::mt19937 random{42};
};

}  // namespace

TEST_P(TextProperty, any_split_gives_the_same_tokens) {
    const auto tokenizer = train(600);
    for (int round = 0; round < rounds(4000); ++round) {
        const std::string text = random_text(1 + random() % 40);
        const size_t most = 1 + random() % 12;  // bytes a part: cuts fall inside code points too
        Utf8Gate gate;
        IncrementalEncoder encoder(tokenizer);
        std::vector<Token> tokens;
        for (size_t at = 0; at < text.size();) {
            const size_t size = 1 + random() % most;
            for (const auto& piece : gate.append(std::string_view(text).substr(at, size)))
                encoder.append(piece.text, tokens);
            at += size;
            if (random() % 4 ==
                0) {  // what is final, and what is not yet, are the tokens of the text so far
                std::vector<Token> so_far = tokens;
                for (const Token& token : encoder.peek()) so_far.push_back(token);
                const std::string_view seen =
                    std::string_view(text).substr(0, std::min(at, text.size()));
                ASSERT_EQ(plain(so_far),
                          plain(tokenizer->encode(seen.substr(0, valid_utf8_prefix(seen)))));
            }
        }
        EXPECT_TRUE(gate.finish().empty());
        encoder.finish(tokens);
        ASSERT_EQ(plain(tokens), plain(tokenizer->encode(text)));
    }
}

TEST_P(TextProperty, encoder_begins_a_new_text_after_finish) {
    const auto tokenizer = train(600);
    IncrementalEncoder encoder(tokenizer);
    for (int round = 0; round < rounds(500); ++round) {
        const std::string text = random_text(random() % 10);
        std::vector<Token> tokens;
        encoder.append(text, tokens);
        encoder.finish(tokens);
        ASSERT_EQ(plain(tokens), plain(tokenizer->encode(text)));
    }
}

TEST_P(TextProperty, encode_equals_its_plain_twin_and_decodes_back) {
    for (const int32_t vocab_size : {262, 300, 600, 1200}) {
        const auto tokenizer = train(vocab_size);
        for (int round = 0; round < rounds(500); ++round) {
            const std::string text =
                random_text(random() % (round % 20 ? 30 : 2000));  // the long ones use the cache
            const std::vector<Token> tokens = tokenizer->encode(text);
            ASSERT_EQ(plain(tokens), plain(tokenizer->encode_slow(text)));
            std::vector<int32_t> ids;
            size_t size = 0;
            for (const Token& token : tokens) {
                ids.push_back(token.id);
                size += token.size;
            }
            EXPECT_EQ(size, text.size());
            EXPECT_EQ(tokenizer->decode(ids), text);
        }
    }
}

// Control characters and the first byte of some code points have no token, as in SmolLM2.
TEST_P(TextProperty, bytes_without_a_token_equal_the_plain_twin) {
    Vocabulary vocabulary;
    vocabulary.pieces = GetParam();
    std::array<int32_t, 256> ids{};
    for (int byte = 0; byte < 256; ++byte) {
        if (byte == 0x04 || byte == 0x13 || byte == 0xF1) continue;
        ids[size_t(byte)] = int32_t(vocabulary.tokens.size());
        vocabulary.tokens.emplace_back(1, char(byte));
    }
    for (const char* pair : {"ab", "!!", "a!", " a", "\x80\x80", "?!"}) {
        vocabulary.tokens.emplace_back(pair);
        vocabulary.merges.emplace_back(ids[uint8_t(pair[0])], ids[uint8_t(pair[1])]);
    }
    for (const bool ignore_merges : {false, true}) {
        vocabulary.ignore_merges = ignore_merges;
        const auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
        for (int round = 0; round < rounds(1000); ++round) {
            std::string text;
            for (size_t n = 1 + random() % (round % 20 ? 20 : 3000); n > 0; --n)
                text += std::array{"a", "b",          "!",          " ", "\x04", "\x13",
                                   "?", "\U00040000", "\U00080004", "1", "\n"}[random() % 11];
            const std::vector<Token> tokens = tokenizer->encode(text);
            ASSERT_EQ(plain(tokens), plain(tokenizer->encode_slow(text)));
            size_t size = 0;
            for (const Token& token : tokens) size += token.size;
            ASSERT_EQ(size, text.size());
            IncrementalEncoder encoder(tokenizer);
            std::vector<Token> in_parts;
            for (size_t at = 0; at < text.size();) {
                size_t part = std::min(text.size() - at, 1 + random() % 9);
                while (at + part < text.size() && (uint8_t(text[at + part]) & 0xC0) == 0x80) ++part;
                encoder.append(std::string_view(text).substr(at, part), in_parts);
                at += part;
            }
            encoder.finish(in_parts);
            ASSERT_EQ(plain(in_parts), plain(tokens));
        }
    }
}

// Tokens that no merge makes, also longer than what is cached.
TEST_P(TextProperty, whole_pieces_without_merges_equal_the_plain_twin) {
    Vocabulary vocabulary;
    vocabulary.pieces = GetParam();
    vocabulary.ignore_merges = true;
    for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(1, char(byte));
    vocabulary.merges = {{'a', 'b'}};
    for (const std::string& token : {std::string("ab"), std::string("bab"), std::string(" bab"),
                                     std::string(2000, 'a'), std::string("!!\n")})
        vocabulary.tokens.push_back(token);
    const auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
    EXPECT_EQ(tokenizer->encode("bab").size(), 1u);
    EXPECT_EQ(tokenizer->encode("babab").size(), 3u) << "b, ab, ab";
    EXPECT_EQ(tokenizer->encode(std::string(2000, 'a')).size(), 1u);
    for (int round = 0; round < rounds(300); ++round) {
        std::string text;
        for (size_t n = 1 + random() % 30; n > 0; --n)
            text += std::array{"ab", "bab", " ", "!!", "\n", "a", "1"}[random() % 7];
        if (round % 10 == 0) text += " x" + std::string(2000, '!') + " " + std::string(2000, 'a');
        ASSERT_EQ(plain(tokenizer->encode(text)), plain(tokenizer->encode_slow(text)));
    }
}

TEST_P(TextProperty, long_pieces_equal_the_plain_twin) {
    const auto tokenizer = train(900);
    for (int round = 0; round < rounds(200); ++round) {
        std::string text;
        const size_t size = 60 + random() % 400;
        const auto letters = 1 + random() % 5;
        while (text.size() < size) text += "aehrdbt"[random() % (letters + 1)];
        ASSERT_EQ(plain(tokenizer->encode(text)), plain(tokenizer->encode_slow(text)));
    }
}

// A list of merges in which a token is used before the merge that makes it again: two merges may
// yield one token.
TEST_P(TextProperty, merges_out_of_order_equal_the_plain_twin) {
    for (int round = 0; round < rounds(300); ++round) {
        Vocabulary vocabulary;
        vocabulary.pieces = GetParam();
        for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(1, char(byte));
        std::vector<std::string> made{"a", "b"};
        while (made.size() < 14) {
            std::string next = made[random() % made.size()] + made[random() % made.size()];
            if (next.size() > 1 && std::find(made.begin(), made.end(), next) == made.end())
                made.push_back(next);
        }
        for (size_t i = 2; i < made.size(); ++i) vocabulary.tokens.push_back(made[i]);
        const auto id = [&](const std::string& token) {
            return int32_t(std::find(vocabulary.tokens.begin(), vocabulary.tokens.end(), token) -
                           vocabulary.tokens.begin());
        };
        for (const std::string& left : made)
            for (const std::string& right : made)
                if (size_t(id(left + right)) < vocabulary.tokens.size())
                    vocabulary.merges.emplace_back(id(left), id(right));
        std::shuffle(vocabulary.merges.begin(), vocabulary.merges.end(), random);
        const auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
        for (int k = 0; k < 10; ++k) {
            std::string text;
            for (size_t size = 1 + random() % 200; size > 0; --size)
                text += random() % 2 ? 'a' : 'b';
            ASSERT_EQ(plain(tokenizer->encode(text)), plain(tokenizer->encode_slow(text)));
        }
    }
}

TEST_P(TextProperty, scanner_equals_its_plain_twin_at_every_code_point) {
    std::string text;
    for (uint32_t point = 0; point < 0x110000; ++point) {
        for (const char* before : {"a", "1", ".", " ", "'", "\n", "'r"}) {
            text += before;
            append_utf8(text, point);
        }
    }
    const PreTokenizer& pieces = pre_tokenizer(GetParam());
    const std::vector<std::string_view> slow = pieces.pieces_slow(text);
    PieceScan scan;
    size_t begin = 0;
    for (std::string_view piece : slow) {
        const size_t end = *pieces.next(scan, text, begin, true);
        ASSERT_EQ(end, begin + piece.size()) << "at byte " << begin;
        begin = end;
    }
    EXPECT_EQ(begin, text.size());
}

// Quadratic work would take hours here, not seconds.
TEST_P(TextProperty, one_endless_word_is_encoded_in_linear_time) {
    const auto tokenizer = train(600);
    std::string text(size_t(4) << 20, 'a');
    for (size_t i = 0; i < text.size(); i += 1 + random() % 7) text[i] = "ehrt"[random() % 4];
    const std::vector<Token> at_once = tokenizer->encode(text);
    IncrementalEncoder encoder(tokenizer);
    std::vector<Token> tokens;
    for (size_t at = 0; at < text.size(); at += 64)
        encoder.append(std::string_view(text).substr(at, 64), tokens);
    EXPECT_TRUE(tokens.empty());
    encoder.append(" .", tokens);
    EXPECT_EQ(plain(tokens), plain(at_once));
}

// Straight from the definition of IncrementalEncoder's limit.
std::vector<Token> encode_cut_slow(const Tokenizer& tokenizer, std::string_view text, size_t most) {
    const PreTokenizer& pieces = pre_tokenizer(tokenizer.pieces());
    const auto first_size = [&](std::string_view of) { return pieces.pieces_slow(of)[0].size(); };
    const auto border = [&](size_t place) {
        if (place >= text.size()) return text.size();
        while ((uint8_t(text[place]) & 0xC0) == 0x80) --place;
        return place;
    };
    std::vector<Token> tokens;
    while (!text.empty()) {
        size_t end = first_size(text);
        if (text.size() >= most + 4) {  // do these bytes tell, whatever follows?
            const std::string seen(text.substr(0, border(most + 4)));
            for (const char* next : {"", "a", "s", " ", "\n", "1", "!", "'"})
                if (first_size(seen + next) != end) end = SIZE_MAX;
        }
        if (end > most) end = border(most);
        for (const Token& token : tokenizer.encode_slow(text.substr(0, end)))
            tokens.push_back(token);
        text.remove_prefix(end);
    }
    return tokens;
}

TEST_P(TextProperty, any_split_gives_the_same_tokens_where_long_words_are_cut) {
    const auto tokenizer = train(600);
    for (int round = 0; round < rounds(2000); ++round) {
        const size_t most = 4 + random() % 9;
        std::string text = random_text(1 + random() % 30);
        for (int i = 0; i < 3; ++i) {
            const char* unit = std::array{"a", " ",          "\u3000", "\u65e5", "7",
                                          "'", "\U0001F600", "\n",     "!"}[random() % 9];
            std::string run;
            for (size_t n = random() % 30; n > 0; --n) run += unit;
            const size_t at =
                valid_utf8_prefix(std::string_view(text).substr(0, random() % (text.size() + 1)));
            text.insert(at, run);
        }
        IncrementalEncoder encoder(tokenizer, most);
        std::vector<Token> tokens;
        for (size_t at = 0; at < text.size();) {
            size_t size = std::min(text.size() - at, 1 + random() % (2 * most));
            while (at + size < text.size() && (uint8_t(text[at + size]) & 0xC0) == 0x80) ++size;
            encoder.append(std::string_view(text).substr(at, size), tokens);
            ASSERT_LE(encoder.pending_bytes(), most + 3);
            at += size;
        }
        encoder.finish(tokens);
        ASSERT_EQ(plain(tokens), plain(encode_cut_slow(*tokenizer, text, most)))
            << text << " " << most;
    }
}

INSTANTIATE_TEST_SUITE_P(, TextProperty, ::testing::ValuesIn(kPieceRules));

}  // namespace rpt::text
