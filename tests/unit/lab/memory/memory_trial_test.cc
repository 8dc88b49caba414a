#include "lab/memory/memory_trial.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/weights/package.h"
#include "lab/memory/copy_fit.h"
#include "lab/memory/memory_file.h"
#include "tests/unit/lab/memory/made_documents.h"

namespace rpt::memory {
namespace {

CopyParameters fitted(const std::vector<DocumentCache>& documents) {
    CopyParameters p = untrained(documents, 12, 300);
    FitOptions options;
    options.steps = 60;
    options.every = 60;
    options.first_token = 64;
    options.gate_rate = 0.1;
    fit_copy(p, documents, documents, options, [](const FitStep&) {});
    return p;
}

TEST(MemoryTrial, tells_what_the_past_is_worth_and_what_a_wrong_one_is) {
    const std::vector<DocumentCache> documents = {repeating_document(300, 70, 24, 1),
                                                  repeating_document(300, 70, 24, 2)};
    std::vector<DocumentCache> wide = documents;
    for (DocumentCache& document : wide) document.nll = document.nll / 2;
    const CopyParameters p = fitted(documents);
    const std::vector<DocumentTrial> trials =
        try_memory(p, p, documents, wide, {.first_token = 70});
    ASSERT_EQ(trials.size(), 2u);
    for (const DocumentTrial& trial : trials) {
        EXPECT_EQ(trial.tokens, 299 - 80);  // from the first whole block on
        const double without = trial.of(Way::kNone);
        EXPECT_NEAR(without, 219 * std::log(50.0), 0.1);
        EXPECT_NEAR(trial.of(Way::kWide), without / 2, 1e-3);
        EXPECT_LT(trial.of(Way::kOwn), 0.5 * without);
        EXPECT_NEAR(trial.of(Way::kOwnFourBits), trial.of(Way::kOwn), 0.05 * without);
        EXPECT_GT(trial.of(Way::kMixedUp), 0.9 * without);
        EXPECT_GT(trial.of(Way::kOther), 0.9 * without);
        EXPECT_LT(trial.of(Way::kOwnAndOther), 0.6 * without);
    }
    // one document has no other
    const DocumentTrial alone = try_memory(p, p, {documents[0]}, {}, {.first_token = 70})[0];
    for (const auto& [way, nats] : alone.nats)
        EXPECT_TRUE(way != Way::kOther && way != Way::kOwnAndOther && way != Way::kWide);
}

TEST(MemoryTrial, first_half_in_a_space_is_worth_as_much_as_if_it_had_been_read) {
    // the second half says again what the first one said, and nothing twice by itself
    const std::vector<DocumentCache> documents = {repeating_document(320, 160, 24, 1)};
    const CopyParameters p = fitted({repeating_document(300, 70, 24, 2)});
    const DocumentTrial trial = try_memory(p, p, documents, {}, {.halves = true})[0];
    EXPECT_EQ(trial.tokens, 319 - 160 - 32);
    const double without = trial.of(Way::kNone);
    EXPECT_LT(trial.of(Way::kFirstPart), 0.5 * without);
    EXPECT_GT(trial.of(Way::kPastOfSecond), 0.9 * without);
    EXPECT_LT(trial.of(Way::kFirstAndPast), 0.6 * without);
}

TEST(MemoryTrial, memory_file_gives_back_what_was_written) {
    const std::vector<DocumentCache> documents = {repeating_document(300, 70, 24, 1)};
    const CopyParameters own = fitted(documents);
    FitOptions options;
    options.space_steps = 5;
    options.first_token = 64;
    const CopyParameters spaces = fit_space_gate(own, documents, options);
    const std::string path = testing::TempDir() + "/made.memory.safetensors";
    model::ModelConfig config;
    write_memory(own, spaces, at::ones({24}), config, {{}, 5, "a test"}, path);
    const auto file = weights::Package::open(path);
    for (const bool for_spaces : {false, true}) {
        const CopyParameters& want = for_spaces ? spaces : own;
        const CopyParameters got = read_memory(*file, for_spaces);
        EXPECT_TRUE(got.mean.equal(want.mean));
        EXPECT_TRUE(got.query.equal(want.query));
        EXPECT_TRUE(got.key.equal(want.key));
        EXPECT_NEAR(factor_of(got).item<double>(), factor_of(want).item<double>(), 1e-4);
        EXPECT_TRUE(got.bias.equal(want.bias));
        EXPECT_TRUE(got.weights.equal(want.weights));
        EXPECT_TRUE(got.shift.equal(want.shift));
        EXPECT_TRUE(got.scale.equal(want.scale));
    }
}

}  // namespace
}  // namespace rpt::memory
