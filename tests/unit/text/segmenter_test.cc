#include "core/text/segmenter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "core/text/utf8_gate.h"

namespace rpt::text {

namespace {

std::string file_text(const std::string& path) {
    std::ifstream file(std::string(RPT_SOURCE_DIR) + "/" + path, std::ios::binary);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<uint64_t> borders_of(std::string_view text, SegmenterOptions options = {}) {
    Segmenter segmenter(options);
    std::vector<uint64_t> borders;
    segmenter.append(text, borders);
    return borders;
}

std::string from_alphabet(std::mt19937& random, size_t size, std::string_view alphabet) {
    std::string text(size, ' ');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    return text;
}

std::string unicode_text(std::mt19937& random, size_t size) {
    const std::string points[] = {"a", " ", "é", "€", "日", "本", "😀", "。", "\n", ". ", "ß"};
    std::string text;
    while (text.size() < size) text += points[random() % std::size(points)];
    return text;
}

std::string binary(std::mt19937& random, size_t size) {
    std::string text(size, ' ');
    for (char& c : text) c = char(random());
    return text;
}

std::string repeated(std::string_view unit, size_t size) {
    std::string text;
    while (text.size() < size) text += unit;
    return text.substr(0, size);
}

// Every kind of text that finds its borders in another way.
std::vector<std::string> kinds_of_text(std::mt19937& random, size_t size) {
    return {from_alphabet(random, size, "etaoin shrdlu.\n"),
            from_alphabet(random, size, "ab"),
            from_alphabet(random, size, "word \t\r\n;})"),
            unicode_text(random, size),
            binary(random, size),
            std::string(size, 'a'),
            std::string(size, '\n'),
            std::string(size, '\x80'),
            repeated("日", size),
            repeated("x\x80\x80", size),
            repeated("abcdefg\n", size),
            repeated(from_alphabet(random, 57, "abc \n"), size),
            repeated(from_alphabet(random, 300, "abc de"), size),
            from_alphabet(random, size / 3, "ab c") + std::string(size / 3, 'z') +
                from_alphabet(random, size / 3, "ab\nc")};
}

const SegmenterOptions kSizes[] = {{1, 5}, {7, 11}, {16, 40}, {16, 64}, {40, 1000}};

}  // namespace

TEST(Segmenter, equals_its_twin_on_every_kind_of_text) {
    std::mt19937 random(3);
    for (int round = 0; round < 12; ++round)
        for (const std::string& text : kinds_of_text(random, 1 + random() % 1500))
            for (const SegmenterOptions& options : kSizes)
                ASSERT_EQ(borders_of(text, options), segment_borders_slow(text, options));
    for (const char* path : {"demo/passage.txt", "core/text/tokenizer.cc"})
        EXPECT_EQ(borders_of(file_text(path)), segment_borders_slow(file_text(path)));
    for (size_t n = 0; n < 40; ++n) {
        const std::string text = binary(random, n);
        EXPECT_EQ(borders_of(text, {1, 5}), segment_borders_slow(text, {1, 5}));
    }
}

TEST(Segmenter, prefers_lines_to_sentences_to_words) {
    std::mt19937 random(4);
    const auto letters = [&](size_t n) { return from_alphabet(random, n, "abcdefgh"); };
    const std::string word = letters(70) + " " + letters(70);
    EXPECT_EQ(borders_of(word, {64, 1000}), std::vector<uint64_t>{70});
    const std::string sentence = letters(60) + " ab. " + letters(20) + " " + letters(60);
    EXPECT_EQ(borders_of(sentence, {64, 1000}), std::vector<uint64_t>{64});
    const std::string line = letters(60) + " ab. c\n\n\n" + letters(5) + ") " + letters(70);
    EXPECT_EQ(borders_of(line, {64, 1000}), std::vector<uint64_t>{69});
    EXPECT_EQ(line[68], '\n');
    EXPECT_NE(line[69], '\n');
}

TEST(Segmenter, any_split_gives_the_same_borders) {
    std::mt19937 random(5);
    for (int round = 0; round < 20; ++round) {
        for (const std::string& text : kinds_of_text(random, 1200)) {
            const SegmenterOptions options = kSizes[random() % std::size(kSizes)];
            const std::vector<uint64_t> whole = borders_of(text, options);
            Segmenter segmenter(options);
            std::vector<uint64_t> borders;
            const size_t most = 1 + random() % 100;
            for (size_t at = 0; at < text.size();) {
                const uint64_t decided = segmenter.decided();
                const size_t known = borders.size();
                if (random() % 8 == 0) segmenter = Segmenter(segmenter);
                const size_t n = std::min(random() % (most + 1), text.size() - at);
                segmenter.append(std::string_view(text).substr(at, n), borders);
                at += n;
                EXPECT_EQ(segmenter.size(), at);
                for (size_t i = known; i < borders.size(); ++i) ASSERT_GE(borders[i], decided);
                ASSERT_GE(segmenter.decided(), decided);
                ASSERT_LE(segmenter.decided(), at);
                // what is known is what the text so far gives: appending takes no border away
                if (random() % 50 == 0) {
                    ASSERT_EQ(borders, segment_borders_slow(text.substr(0, at), options));
                }
            }
            ASSERT_EQ(borders, whole);
        }
    }
}

TEST(Segmenter, decided_keeps_up_with_the_text) {
    std::mt19937 random(6);
    Segmenter segmenter({16, 1000});
    std::vector<uint64_t> borders;
    segmenter.append(from_alphabet(random, 500, "abc def\n"), borders);
    EXPECT_EQ(segmenter.decided(), 500u - 16u);
}

TEST(Segmenter, segments_keep_their_bounds) {
    std::mt19937 random(7);
    const std::string alphabet = "abc d.\n";
    for (int round = 0; round < 30; ++round) {
        for (const SegmenterOptions& options : kSizes) {
            const uint64_t w = options.half_window, most = options.max_bytes;
            for (const std::string& text : kinds_of_text(random, 2000)) {
                uint64_t last = 0;
                for (uint64_t border : borders_of(text, options)) {
                    EXPECT_LE(border - last, most);
                    EXPECT_GT(border, last);
                    last = border;
                }
                EXPECT_LE(text.size() - last, most + w);
            }
            // no forced borders here: more than w everywhere
            uint64_t last = 0;
            const std::string text = from_alphabet(random, 2000, alphabet);
            for (uint64_t border : borders_of(text, {options.half_window, 100000})) {
                EXPECT_TRUE(border - last > w || (last == 0 && border == w));
                last = border;
            }
            EXPECT_TRUE(last == 0 || text.size() - last > w);
        }
    }
}

TEST(Segmenter, borders_are_code_point_borders_of_valid_text) {
    std::mt19937 random(8);
    for (const SegmenterOptions& options : kSizes) {
        for (const std::string& text : {unicode_text(random, 4000), repeated("😀", 4000)}) {
            const std::vector<uint64_t> borders = borders_of(text, options);
            EXPECT_FALSE(borders.empty());
            for (uint64_t border : borders)
                EXPECT_EQ(valid_utf8_prefix(text.substr(0, border)), border);
        }
    }
}

TEST(Segmenter, text_without_a_maximum_is_cut_by_force) {
    const std::vector<uint64_t> borders = borders_of(std::string(100000, 'a'));
    ASSERT_GE(borders.size(), 5u);
    for (size_t i = 1; i < borders.size(); ++i) EXPECT_EQ(borders[i] - borders[i - 1], 16384u);
}

TEST(Segmenter, an_edit_moves_only_the_borders_near_it) {
    std::mt19937 random(9);
    for (int round = 0; round < 60; ++round) {
        for (const std::string& text : kinds_of_text(random, 1500)) {
            const SegmenterOptions options = kSizes[random() % std::size(kSizes)];
            const uint64_t w = options.half_window;
            // bytes [x, y) become `other`
            const size_t x = random() % (text.size() + 1);
            const size_t y = x + random() % std::min<size_t>(60, text.size() - x + 1);
            const std::string other = from_alphabet(random, random() % 60, "ab c.\n\x80");
            const std::string edited = text.substr(0, x) + other + text.substr(y);
            const int64_t shift = int64_t(edited.size()) - int64_t(text.size());

            const std::vector<uint64_t> before = borders_of(text, options),
                                        after = borders_of(edited, options);
            // a forced border is known when w + 3 more bytes are
            const auto head = [&](std::vector<uint64_t> borders) {
                std::erase_if(borders, [&](uint64_t p) { return p + w + 3 >= x; });
                return borders;
            };
            ASSERT_EQ(head(before), head(after));

            // behind it: from the first natural border that reads nothing of the edit
            std::vector<uint64_t> natural = borders_of(text, {options.half_window, 1u << 30});
            std::erase_if(natural, [&](uint64_t p) { return p < y + w + 32; });
            if (natural.empty()) continue;
            const auto tail = [&](std::vector<uint64_t> borders, int64_t moved) {
                std::erase_if(borders,
                              [&](uint64_t p) { return int64_t(p) < int64_t(natural[0]) + moved; });
                for (uint64_t& p : borders) p = uint64_t(int64_t(p) - moved);
                return borders;
            };
            ASSERT_EQ(tail(before, 0)[0], natural[0]);
            ASSERT_EQ(tail(before, 0), tail(after, shift));
        }
    }
}

TEST(Segmenter, resumes_at_any_border) {
    std::mt19937 random(10);
    for (int round = 0; round < 12; ++round) {
        for (const std::string& text : kinds_of_text(random, 1500)) {
            for (const SegmenterOptions& options : kSizes) {
                std::vector<uint64_t> borders = borders_of(text, options);
                borders.insert(borders.begin(), 0);
                for (size_t i = 0; i < borders.size(); ++i) {
                    const size_t at = borders[i];
                    size_t left = Segmenter::left_bytes(options) + random() % 30;
                    left = std::min(left, at);
                    Segmenter segmenter =
                        Segmenter::resume(std::string_view(text).substr(at - left, left), options);
                    EXPECT_EQ(segmenter.size(), 0u);
                    EXPECT_EQ(segmenter.decided(), 0u);
                    std::vector<uint64_t> rest;
                    const size_t half = random() % (text.size() - at + 1);
                    segmenter.append(std::string_view(text).substr(at, half), rest);
                    segmenter.append(std::string_view(text).substr(at + half), rest);
                    for (uint64_t& border : rest) border += at;
                    ASSERT_EQ(rest, std::vector<uint64_t>(borders.begin() + ptrdiff_t(i) + 1,
                                                          borders.end()));
                }
            }
        }
    }
}

// Stored documents are cut at these places: a change here is a change of format.
TEST(Segmenter, borders_never_change) {
    std::string text;
    uint64_t state = 1;
    for (int i = 0; i < 30000; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        text += "abcdefghijklmnopqrstuvwxy  .,\n\xC3\xA9"[state >> 59];
    }
    text += std::string(40000, 'z');
    EXPECT_EQ(borders_of(text), (std::vector<uint64_t>{3339, 5104, 8019, 11953, 15701, 20199, 22639,
                                                       28249, 44633, 61017}));
}

TEST(Segmenter, mean_size_is_two_half_windows) {
    std::string code;
    for (const char* name : {"tokenizer", "tokenizer_json", "gpt2_pieces", "bpe_merges",
                             "bpe_trainer", "utf8_gate", "bm25", "segmenter"})
        code += file_text("core/text/" + std::string(name) + ".cc");
    for (const auto& [name, text] :
         {std::pair<std::string, std::string>{"book.txt", file_text("demo/book.txt")},
          {"core/text/*.cc", code}}) {
        const std::vector<uint64_t> borders = borders_of(text);
        uint64_t longest = 0, last = 0;
        for (uint64_t border : borders) {
            longest = std::max(longest, border - last);
            last = border;
        }
        const double mean = double(text.size()) / double(borders.size() + 1);
        std::printf("%s: %zu bytes, %zu segments, mean %.0f, longest %llu\n", name.c_str(),
                    text.size(), borders.size() + 1, mean,
                    static_cast<unsigned long long>(longest));
        if (name != "book.txt") continue;  // few segments
        EXPECT_GT(mean, 1536 * 1.8);
        EXPECT_LT(mean, 1536 * 2.4);
    }
}

}  // namespace rpt::text
