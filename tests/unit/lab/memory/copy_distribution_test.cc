#include "lab/memory/copy_distribution.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "core/reader/copy_mixture.h"
#include "tests/unit/lab/memory/made_documents.h"

namespace rpt::memory {
namespace {

constexpr int64_t kVocab = 50;

reader::CopyNumbers numbers_of(const CopyParameters& p) {
    std::vector<float> out = {factor_of(p).item<float>(), static_cast<float>(kNearCosine),
                              p.bias.item<float>()};
    for (const at::Tensor& part : {p.weights, p.shift, p.scale})
        for (int64_t i = 0; i < kGateInputs; ++i) out.push_back(part[i].item<float>());
    return reader::CopyNumbers::read(out);
}

// The reader's plain twin, from the cosines of this mixture and logits that give its predictions.
TEST(CopyDistribution, gives_what_the_plain_reader_gives) {
    const int64_t stride = 16, dim = 24;
    const DocumentCache document = repeating_document(120, 37, dim, 5);
    CopyParameters p = untrained({document}, 8, 120);
    const at::NoGradGuard guard;
    p.bias.fill_(-0.3);
    p.weights.copy_(at::arange(1, 6) * 0.1 - 0.25);
    p.shift = at::arange(1, 6) * 0.2;
    p.scale = at::arange(1, 6) * 0.5;
    const int64_t block = 5;
    const CopyQueries queries = queries_of_block(p, document, block);
    const FarTokens far = far_of_block(p, document, block);
    ASSERT_EQ(far.rows.size(0), (block - 1) * stride);
    const at::Tensor got = mixture_nll(p, queries, far);
    const at::Tensor cosines = at::mm(queries.rows, far.rows.t());
    const std::vector<float> logits(kVocab, 0.0f);
    for (int64_t i = 0; i < queries.rows.size(0); ++i) {
        reader::plain::Source source{numbers_of(p), {}};
        for (int64_t j = 0; j < far.rows.size(0); ++j)
            source.places.emplace_back(cosines[i][j].item<double>(),
                                       static_cast<int32_t>(far.next[j].item<int64_t>()));
        const std::vector<double> want = reader::plain::mix(logits, {&source, 1});
        EXPECT_NEAR(got[i].item<double>(),
                    -std::log(want[static_cast<size_t>(queries.next[i].item<int64_t>())]), 2e-3)
            << i;
    }
}

TEST(CopyDistribution, begins_with_orthonormal_directions_of_most_variance) {
    const DocumentCache document = repeating_document(400, 300, 16, 3);
    const CopyParameters p = untrained({document}, 6, 400);
    EXPECT_LT((at::mm(p.key, p.key.t()) - at::eye(6)).abs().max().item<double>(), 1e-4);
    EXPECT_TRUE(p.key.equal(p.query));
    const at::Tensor centred = document.states.to(at::kFloat) - p.mean;
    EXPECT_LT(centred.mean(0).abs().max().item<double>(), 1e-3);
    const double kept = at::linear(centred, p.key).square().sum().item<double>();
    const at::Tensor others = at::randn({6, 16});
    const at::Tensor basis = std::get<0>(at::linalg_qr(others.t())).t();
    EXPECT_GT(kept, at::linear(centred, basis).square().sum().item<double>());
}

TEST(CopyDistribution, blocks_see_the_one_before_them) {
    const DocumentCache document = repeating_document(50, 20, 8, 1);
    const CopyParameters p = untrained({document}, 4, 50);
    const at::NoGradGuard guard;
    EXPECT_EQ(blocks_of(document), 4);
    EXPECT_EQ(far_of_block(p, document, 0).rows.size(0), 0);
    EXPECT_EQ(far_of_block(p, document, 1).rows.size(0), 0);
    EXPECT_EQ(far_of_block(p, document, 3).rows.size(0), 32);
    EXPECT_EQ(queries_of_block(p, document, 3).rows.size(0),
              1);  // the last token predicts none
    EXPECT_TRUE(far_of_block(p, document, 3).next.equal(document.tokens.narrow(0, 1, 32)));
    // all at once is the same
    const MappedDocument rows(p, document);
    EXPECT_TRUE(rows.far_of_block(3).next.equal(document.tokens.narrow(0, 1, 32)));
    EXPECT_LT((rows.queries_of_block(2).rows - queries_of_block(p, document, 2).rows)
                  .abs()
                  .max()
                  .item<double>(),
              1e-5);
}

}  // namespace
}  // namespace rpt::memory
