// The exact scan beside Faiss' flat index over the same keys.
#include <faiss/IndexFlat.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

constexpr size_t kRows = 700;
constexpr size_t kBest = 10;

TEST_F(StoreTest, search_exact_scan_finds_what_a_flat_index_of_faiss_finds) {
    Numbers numbers(11);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    add(*space, "doc", make_document(numbers, kRows));
    faiss::IndexFlatIP flat(kDim);
    for (uint64_t i = 0; i < kRows; ++i) {
        const auto chunk = space->read_chunk("doc", i);  // its key as stored, through fp16
        ASSERT_TRUE(chunk.has_value());
        flat.add(1, chunk->key.data());
    }
    for (int question = 0; question < 50; ++question) {
        const std::vector<float> query = numbers.vector(kDim);
        std::vector<float> scores(kBest);
        std::vector<faiss::Index::idx_t> rows(kBest);
        flat.search(1, query.data(), kBest, scores.data(), rows.data());
        const std::vector<Hit> hits = find(*store, space, query, kBest);
        ASSERT_EQ(hits.size(), kBest);
        for (size_t i = 0; i < kBest; ++i) {
            EXPECT_NEAR(hits[i].score, scores[i] / std::sqrt(float(kDim)), 1e-5f);
            const auto info = store->describe(hits[i].chunk_id);
            ASSERT_TRUE(info.has_value());
            EXPECT_EQ(info->ordinal, static_cast<uint64_t>(rows[i]));
        }
    }
}

}  // namespace
}  // namespace rpt::storage
