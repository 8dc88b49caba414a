// Who chooses chunks of a known document, against what the choice is made of.
#include <gtest/gtest.h>

#include <set>

#include "core/model/reading.h"
#include "core/reader/mass_search.h"
#include "lab/ways/document_choosers.h"
#include "tests/unit/reader/mass_twin.h"

namespace rpt::ways {
namespace {

using reader::Found;

reader::RetrieveOptions best(uint32_t k) {
    reader::RetrieveOptions options;
    options.k = k;
    return options;
}

// Tells what it was asked.
struct Listener final : reader::ChunkChooser {
    std::vector<Found> choose(const reader::ChunkQuestion& question,
                              const reader::RetrieveOptions& options,
                              const CallControl& /*control*/) const override {
        queries.assign(question.queries.begin(), question.queries.end());
        k = options.k;
        return {{true, 7, 0.5f}};
    }
    mutable std::vector<float> queries;
    mutable uint32_t k = 0;
};

TEST(WordChooser, chooses_what_bm25_ranks_first_among_chunks_that_may_be_read) {
    std::vector<int32_t> tokens;  // chunks of 4; chunk c says c, c + 1, c + 2, c + 3
    for (int32_t chunk = 0; chunk < 40; ++chunk)
        for (int32_t i = 0; i < 4; ++i) tokens.push_back(chunk + i);
    std::vector<std::span<const int32_t>> chunks;
    for (size_t c = 0; c < 40; ++c) chunks.push_back(std::span(tokens).subspan(4 * c, 4));
    const std::vector<int32_t> asking(tokens.begin() + 40, tokens.begin() + 104);
    const std::vector<double> scores = text::Bm25(chunks).scores_slow(asking);
    const WordChooser chooser(tokens, 4);
    const std::vector<Found> found = chooser.choose({{}, 104, nullptr, 19}, best(5), {});
    ASSERT_EQ(found.size(), 5u);
    for (size_t i = 0; i < found.size(); ++i) {
        EXPECT_TRUE(found[i].own);
        EXPECT_LE(found[i].id, 19u);
        EXPECT_NEAR(found[i].score, scores[found[i].id], 1e-4);
    }
    std::set<uint64_t> ids;
    for (const Found& one : found) ids.insert(one.id);
    EXPECT_EQ(ids.size(), 5u);
    for (uint64_t other = 0; other <= 19; ++other)
        EXPECT_TRUE(ids.contains(other) || scores[other] <= scores[found.back().id] + 1e-9);
    EXPECT_TRUE(chooser.choose({{}, 104, nullptr, -1}, best(5), {}).empty());
}

TEST(FutureChooser, asks_with_the_queries_of_those_who_are_going_to_read) {
    const auto listener = std::make_shared<const Listener>();
    std::vector<float> queries;
    for (size_t i = 0; i < 100; ++i)
        queries.insert(queries.end(), {static_cast<float>(i), static_cast<float>(i) + 0.5f});
    const FutureChooser chooser(listener, queries, 2);
    EXPECT_EQ(chooser.choose({{}, 20, nullptr, 3}, best(9), {}).front().id, 7u);
    EXPECT_EQ(listener->queries, std::vector<float>(queries.begin() + 40, queries.begin() + 168));
    EXPECT_EQ(listener->k, 9u);
    chooser.choose({{}, 90, nullptr, 3}, best(9), {});
    EXPECT_EQ(listener->queries, std::vector<float>(queries.begin() + 180, queries.end()));
}

TEST(RandomChooser, draws_each_chunk_as_often_and_the_same_again) {
    const RandomChooser chooser(5);
    std::vector<int> drawn(10);
    for (size_t end = 0; end < 2000; ++end) {
        const std::vector<Found> found = chooser.choose({{}, end, nullptr, 9}, best(3), {});
        ASSERT_EQ(found.size(), 3u);
        EXPECT_NE(found[0].id, found[1].id);
        EXPECT_NE(found[1].id, found[2].id);
        for (const Found& one : found) ++drawn.at(one.id);
        EXPECT_EQ(chooser.choose({{}, end, nullptr, 9}, best(3), {})[2].id, found[2].id);
    }
    for (const int n : drawn) EXPECT_NEAR(n, 600, 120);
    EXPECT_EQ(chooser.choose({{}, 1, nullptr, 1}, best(3), {}).size(), 2u);
}

TEST(TurnedChooser, asks_nobody_until_it_is_told_whom) {
    const Listener listener;
    TurnedChooser chooser;
    EXPECT_TRUE(chooser.choose({{}, 5, nullptr, 9}, best(3), {}).empty());
    chooser.turn_to(&listener, 4);
    EXPECT_EQ(chooser.choose({{}, 5, nullptr, 9}, best(3), {}).front().id, 7u);
    EXPECT_EQ(listener.k, 4u);
    chooser.turn_to(&listener, 0);
    chooser.choose({{}, 5, nullptr, 9}, best(3), {});
    EXPECT_EQ(listener.k, 3u);
}

TEST(PointerQueries, are_those_of_a_stream_that_reads_token_by_token) {
    const auto engine = reader::frozen_engine(true, model::kReadUpper);
    std::vector<int32_t> tokens{engine->tokenizer()->bos()};
    for (const text::Token& token :
         engine->tokenizer()->encode("the chunk of the document reads what the reader wrote; on."))
        tokens.push_back(token.id);
    std::vector<float> all, keys, queries;
    const auto stream = engine->new_stream();
    for (const int32_t token : tokens) {
        for (const auto& chunk : stream->advance_lower({&token, 1}))
            stream->set_neighbours(chunk.index, {});
        stream->advance_upper_rows([](size_t, std::span<const float>) {});
        stream->pointers(keys, queries);
        all.insert(all.end(), queries.begin(), queries.end());
    }
    EXPECT_EQ(pointer_queries(*engine, tokens), all);
}

}  // namespace
}  // namespace rpt::ways
