// Samples that go across documents, and samples with gaps.
#include "lab/train/sample_source.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include <gtest/gtest.h>

#include "base/error.h"
#include "lab/train/fill_in_middle.h"

namespace rpt::train {
namespace {

namespace fs = std::filesystem;

constexpr int32_t kBos = 0, kEos = 1, kPrefix = 3, kSuffix = 4, kMiddle = 5;
const ShardVocabulary kVocabulary{30000, kBos, kEos, 2, {}, kPrefix, kSuffix, kMiddle};

struct Sized {
    std::string collection;
    int32_t tokens;  // the end token included
};

class SampleSourceTest : public ::testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() /
                  ("rpt_samples_" +
                   std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }

    // No ordinary token comes twice: document d holds 10 + 1000 d and on.
    std::shared_ptr<const Shard> make(const std::vector<Sized>& documents,
                                      const ShardVocabulary& vocabulary = kVocabulary) const {
        const std::string path =
            (folder_ / std::to_string(documents.size() + documents[0].tokens)).string();
        ShardWriter writer(path, vocabulary);
        for (size_t d = 0; d < documents.size(); ++d) {
            std::vector<int32_t> tokens;
            for (int32_t i = 0; i + 1 < documents[d].tokens; ++i)
                tokens.push_back(10 + 1000 * static_cast<int32_t>(d) + i);
            tokens.push_back(kEos);
            writer.add({"d" + std::to_string(d), documents[d].collection, "", 0, 0, 1}, tokens);
        }
        writer.finish();
        return Shard::open(path);
    }

    fs::path folder_;
};

size_t document_of(int32_t token) {
    return static_cast<size_t>(token - 10) / 1000;
}

// Undoes fill_in_middle(): the text without its end token.
std::vector<int32_t> without_gap(const std::vector<int32_t>& tokens) {
    const auto suffix = std::find(tokens.begin(), tokens.end(), kSuffix);
    const auto middle = std::find(suffix, tokens.end(), kMiddle);
    EXPECT_EQ(tokens.front(), kPrefix);
    EXPECT_EQ(tokens.back(), kEos);
    std::vector<int32_t> text(tokens.begin() + 1, suffix);
    text.insert(text.end(), middle + 1, tokens.end() - 1);
    text.insert(text.end(), suffix + 1, middle);
    return text;
}

TEST(FillInMiddleTest, layout_is_prefix_suffix_middle_end) {
    const std::vector<int32_t> text = {10, 11, 12, 13, 14};
    EXPECT_EQ(fill_in_middle(kVocabulary, text, 1, 3),
              (std::vector<int32_t>{kPrefix, 10, kSuffix, 13, 14, kMiddle, 11, 12, kEos}));
    EXPECT_EQ(fill_in_middle(kVocabulary, text, 0, 5),
              (std::vector<int32_t>{kPrefix, kSuffix, kMiddle, 10, 11, 12, 13, 14, kEos}));
    EXPECT_EQ(fill_in_middle(kVocabulary, text, 5, 5),
              (std::vector<int32_t>{kPrefix, 10, 11, 12, 13, 14, kSuffix, kMiddle, kEos}));
}

TEST_F(SampleSourceTest, across_documents_one_follows_another_behind_its_end) {
    const auto shard = make({{"a", 5}, {"b", 4}, {"a", 3}, {"b", 6}, {"a", 4}});
    SampleSource source({{shard, 1.0, true}}, 64, 0.1, 3);
    ASSERT_EQ(source.pieces(), 2u);
    for (int epoch = 0; epoch < 2; ++epoch) {
        std::map<size_t, size_t> seen;  // collection to tokens
        for (int i = 0; i < 2; ++i) {
            const Piece piece = source.next();
            EXPECT_EQ(piece.epoch, static_cast<uint64_t>(epoch));
            const std::vector<int32_t> text = source.read(piece);
            seen[piece.document] = text.size();
            std::vector<size_t> order;
            for (size_t at = 0; at < text.size();) {
                if (at > 0) {
                    ASSERT_EQ(text[at++], kBos);
                }
                const size_t d = document_of(text[at]);
                const auto whole = shard->read(d, 0, shard->documents()[d].tokens);
                EXPECT_EQ(std::vector<int32_t>(text.begin() + at, text.begin() + at + whole.size()),
                          whole);
                EXPECT_EQ(d % 2, piece.document);  // never of the other collection
                order.push_back(d);
                at += whole.size();
            }
            EXPECT_EQ(order.size(), piece.document == 0 ? 3u : 2u);
        }
        EXPECT_EQ(seen, (std::map<size_t, size_t>{{0, 5 + 1 + 3 + 1 + 4}, {1, 4 + 1 + 6}}));
    }
}

TEST_F(SampleSourceTest, across_documents_pieces_are_the_whole_cut_at_one_offset) {
    std::vector<Sized> documents;
    for (int32_t d = 0; d < 20; ++d) documents.push_back({"a", 3 + d * 7 % 23});
    const auto shard = make(documents);
    SampleSource whole({{shard, 1.0, true}}, 100000, 0, 9);
    const std::vector<int32_t> all = whole.read(whole.next());
    for (const int64_t length : {1, 2, 7, 16, 50}) {
        SampleSource source({{shard, 1.0, true}}, length, 0, 9);
        const size_t n = source.pieces();
        EXPECT_EQ(n, all.size() / static_cast<size_t>(length));
        std::vector<Piece> pieces;
        for (size_t i = 0; i < n; ++i) pieces.push_back(source.next());
        // Pieces of an epoch that is over read as before.
        source.next();
        std::sort(pieces.begin(), pieces.end(),
                  [](const Piece& x, const Piece& y) { return x.begin < y.begin; });
        std::vector<int32_t> joined;
        for (const Piece& piece : pieces) {
            const auto text = source.read(piece);
            EXPECT_EQ(text.size(), static_cast<size_t>(length));
            joined.insert(joined.end(), text.begin(), text.end());
        }
        const auto from = all.begin() + static_cast<ptrdiff_t>(pieces[0].begin);
        EXPECT_EQ(joined, std::vector<int32_t>(from, from + static_cast<ptrdiff_t>(joined.size())));
    }
}

TEST_F(SampleSourceTest, across_documents_every_epoch_has_an_order_of_its_own) {
    std::vector<Sized> documents(12, {"a", 4});
    const auto shard = make(documents);
    SampleSource source({{shard, 1.0, true}}, 1000, 0, 9);
    const auto first = source.read(source.next()), second = source.read(source.next());
    EXPECT_NE(first, second);
    EXPECT_EQ(first.size(), second.size());
    EXPECT_TRUE(std::is_permutation(first.begin(), first.end(), second.begin()));
}

TEST_F(SampleSourceTest, short_documents_make_a_collection_that_is_long_enough) {
    const auto shard = make({{"a", 5}, {"a", 6}, {"b", 4}});
    EXPECT_THROW(SampleSource({{shard, 1.0}}, 20, 0.5, 1), Error);
    SampleSource source({{shard, 1.0, true}}, 20, 0.5, 1);
    EXPECT_EQ(source.pieces(), 1u);
    EXPECT_EQ(source.read(source.next()).size(), 12u);
}

TEST_F(SampleSourceTest, gap_of_a_whole_document_moves_its_middle_to_the_end) {
    const auto shard = make({{"a", 30}});
    SampleSource source({{shard, 1.0, false, 1.0}}, 64, 0, 5);
    auto want = shard->read(0, 0, 29);
    std::vector<std::vector<int32_t>> different;
    for (int i = 0; i < 20; ++i) {
        const auto text = source.read(source.next());
        EXPECT_EQ(text.size(), 30u + 3u);  // with the document's own end token
        EXPECT_EQ(without_gap(text), want);
        if (std::find(different.begin(), different.end(), text) == different.end())
            different.push_back(text);
    }
    EXPECT_GT(different.size(), 15u);
}

TEST_F(SampleSourceTest, gap_of_a_piece_leaves_room_for_what_it_adds) {
    const auto shard = make({{"a", 200}});
    SampleSource source({{shard, 1.0, false, 1.0}}, 50, 0, 5);
    for (int i = 0; i < 12; ++i) {
        const Piece piece = source.next();
        const auto text = source.read(piece);
        EXPECT_EQ(text.size(), 50u);
        EXPECT_EQ(without_gap(text), shard->read(0, piece.begin, 46));
    }
}

TEST_F(SampleSourceTest, gaps_across_documents_stay_within_each) {
    std::vector<Sized> documents;
    for (int32_t d = 0; d < 12; ++d) documents.push_back({"a", 8 + d});
    const auto shard = make(documents);
    SampleSource plain({{shard, 1.0, true}}, 60, 0, 5);
    SampleSource source({{shard, 1.0, true, 0.5}}, 60, 0, 5);
    size_t rearranged = 0, read = 0;
    for (int i = 0; i < 200; ++i) {
        const auto want = plain.read(plain.next());
        const auto text = source.read(source.next());
        EXPECT_LE(text.size(), 60u);
        // Each document of the sample with its gap undone: what is read without gaps.
        std::vector<int32_t> undone;
        for (auto at = text.begin(); at != text.end();) {
            if (*at == kBos) {
                undone.push_back(*at++);
                continue;
            }
            auto end = std::find(at, text.end(), kEos);
            if (end != text.end()) ++end;
            ++read;
            if (*at == kPrefix) {
                ++rearranged;
                const auto piece = without_gap({at, end});
                undone.insert(undone.end(), piece.begin(), piece.end());
                if (end != text.end()) undone.push_back(kEos);
            } else {
                undone.insert(undone.end(), at, end);
            }
            at = end;
        }
        if (undone.size() > want.size()) undone.pop_back();  // an end token that closes a gap
        ASSERT_LE(undone.size(), want.size());
        EXPECT_TRUE(std::equal(undone.begin(), undone.end(), want.begin())) << i;
    }
    EXPECT_NEAR(static_cast<double>(rearranged) / static_cast<double>(read), 0.5, 0.06);
}

TEST_F(SampleSourceTest, skip_equals_next_with_gaps_across_documents) {
    const auto a = make({{"a", 40}, {"b", 30}, {"a", 20}, {"b", 70}});
    const auto b = make({{"c", 100}});
    const std::vector<WeightedShard> shards = {{a, 2.0, true, 0.5}, {b, 1.0, false, 0.3}};
    SampleSource one(shards, 16, 0, 3), two(shards, 16, 0, 3), other(shards, 16, 0, 4);
    for (int i = 0; i < 57; ++i) one.next();
    two.skip(57);
    other.skip(57);
    bool differs = false;
    for (int i = 0; i < 60; ++i) {
        const auto text = one.read(one.next());
        EXPECT_EQ(text, two.read(two.next()));
        differs |= text != other.read(other.next());
    }
    EXPECT_TRUE(differs);
}

TEST_F(SampleSourceTest, switches_of_one_source_leave_the_others_alone) {
    const auto a = make({{"a", 40}, {"a", 30}});
    const auto b = make({{"c", 100}});
    SampleSource plain({{a, 1.0}, {b, 1.0}}, 16, 0, 3);
    SampleSource gaps({{a, 1.0, false, 1.0}, {b, 1.0}}, 16, 0, 3);
    for (int i = 0; i < 40; ++i) {
        const Piece x = plain.next(), y = gaps.next();
        EXPECT_EQ(x.source, y.source);
        EXPECT_EQ(x.begin, y.begin);
        if (x.source == 1) {
            EXPECT_EQ(plain.read(x), gaps.read(y));
        }
    }
}

TEST_F(SampleSourceTest, gaps_need_a_shard_that_names_their_tokens) {
    const auto shard = make({{"a", 40}}, {30000, kBos, kEos, 2, {}});
    try {
        SampleSource({{shard, 1.0, false, 0.5}}, 16, 0, 3);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kArgument);
        EXPECT_NE(std::string(error.what()).find("<|fim_prefix|>"), std::string::npos);
    }
}

TEST_F(SampleSourceTest, quotes_change_the_tokens_of_a_sample_and_not_which_is_next) {
    const auto shard = make({{"a", 900}, {"a", 700}, {"b", 800}});
    SampleSource plain({{shard, 1.0, true}}, 400, 0, 5);
    SampleSource quoting({{shard, 1.0, true}}, 400, 0, 5, {1.0, 16});
    size_t changed = 0;
    for (int i = 0; i < 10; ++i) {
        const Piece piece = plain.next();
        EXPECT_EQ(quoting.next().begin, piece.begin);
        const auto text = quoting.read(piece);
        EXPECT_EQ(text.size(), plain.read(piece).size());
        EXPECT_EQ(text, quoting.read(piece));
        changed += text != plain.read(piece);
    }
    EXPECT_GT(changed, 5u);
}

}  // namespace
}  // namespace rpt::train
