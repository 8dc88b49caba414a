#include "lab/memory/copy_fit.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/unit/lab/memory/made_documents.h"

namespace rpt::memory {
namespace {

FitOptions quick() {
    FitOptions options;
    options.steps = options.space_steps = 60;
    options.every = 20;
    options.first_token = 64;
    options.gate_rate = 0.1;
    return options;
}

TEST(CopyFit, finds_that_copying_helps_where_text_repeats) {
    std::vector<DocumentCache> train, validation;
    for (uint64_t i = 0; i < 3; ++i) train.push_back(repeating_document(300, 70, 24, i));
    validation.push_back(repeating_document(300, 70, 24, 9));
    CopyParameters p = untrained(train, 12, 300);
    std::vector<int64_t> told;
    const FitStep best = fit_copy(p, train, validation, quick(),
                                  [&](const FitStep& step) { told.push_back(step.step); });
    EXPECT_EQ(told, (std::vector<int64_t>{0, 20, 40, 60}));
    EXPECT_GT(best.gain, 2.0);  // of 3.9 nats
    // what is left in the parameters is the best
    const std::vector<CorpusLoss> again = losses(p, validation, 64);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_NEAR(again[0].without - again[0].with, best.gain, 1e-6);
    EXPECT_EQ(again[0].tokens, 299 - 64);
}

TEST(CopyFit, finds_that_copying_does_not_help_where_nothing_repeats) {
    std::vector<DocumentCache> documents;
    for (uint64_t i = 0; i < 2; ++i) documents.push_back(repeating_document(300, 300, 24, i));
    CopyParameters p = untrained(documents, 12, 300);
    const FitStep best = fit_copy(p, documents, documents, quick(), [](const FitStep&) {});
    EXPECT_GT(best.gain, -0.05);
    EXPECT_LT(best.gain, 0.05);
}

TEST(CopyFit, goes_on_from_what_was_fitted) {
    const std::vector<DocumentCache> train = {repeating_document(300, 70, 24, 1)};
    CopyParameters p = untrained(train, 12, 300);
    const FitStep first = fit_copy(p, train, train, quick(), [](const FitStep&) {});
    FitOptions none = quick();
    none.steps = 0;
    none.seed = 77;  // standardises over other blocks
    make_trainable(p);
    const FitStep again = fit_copy(p, train, train, none, [](const FitStep&) {});
    EXPECT_NEAR(again.gain, first.gain, 1e-4);
}

TEST(CopyFit, gate_of_spaces_believes_what_belongs_and_not_what_does_not) {
    std::vector<DocumentCache> train, validation;
    for (uint64_t i = 0; i < 3; ++i) train.push_back(repeating_document(300, 70, 24, i));
    for (uint64_t i = 7; i < 9; ++i) validation.push_back(repeating_document(300, 70, 24, i));
    CopyParameters own = untrained(train, 12, 300);
    fit_copy(own, train, validation, quick(), [](const FitStep&) {});
    const CopyParameters spaces = fit_space_gate(own, train, quick());
    EXPECT_TRUE(spaces.key.equal(own.key));
    const auto gain = [](const std::vector<CorpusLoss>& all) {
        return all.at(0).without - all.at(0).with;
    };
    EXPECT_GT(gain(losses(spaces, validation, 64)), 1.0);
    const double beside = gain(losses_beside_others(spaces, validation, 64));
    EXPECT_GT(beside, -0.2);
    EXPECT_GT(beside, gain(losses_beside_others(own, validation, 64)));
}

TEST(CopyFit, equal_seeds_give_equal_parameters_and_short_documents_are_refused) {
    std::vector<DocumentCache> documents = {repeating_document(200, 70, 24, 1)};
    CopyParameters a = untrained(documents, 12, 200), b = untrained(documents, 12, 200);
    fit_copy(a, documents, documents, quick(), [](const FitStep&) {});
    fit_copy(b, documents, documents, quick(), [](const FitStep&) {});
    EXPECT_TRUE(a.key.equal(b.key));
    EXPECT_TRUE(a.weights.equal(b.weights));
    FitOptions late = quick();
    late.first_token = 1000;
    try {
        fit_copy(a, documents, documents, late, [](const FitStep&) {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kArgument);
    }
}

}  // namespace
}  // namespace rpt::memory
