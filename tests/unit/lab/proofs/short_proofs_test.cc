// The experiments of spec 8.5 that run in seconds.
#include <cmath>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "lab/proofs/experiment.h"

namespace rpt::proofs {
namespace {

ProofOptions short_options() {
    at::set_num_threads(1);
    ProofOptions options;
    options.run.configs = std::string(RPT_SOURCE_DIR) + "/configs";
    options.shortened = true;
    options.folder = testing::TempDir();
    return options;
}

void expect_holds(const std::string& name) {
    const Verdict verdict = prove(name, short_options());
    EXPECT_EQ(verdict.experiment, name);
    EXPECT_FALSE(verdict.checks.empty());
    for (const Check& check : verdict.checks)
        EXPECT_TRUE(check.passed) << check.what << ": " << check.measured << ", expected "
                                  << check.expected;
}

TEST(proofs, S4_memory_neither_helps_nor_hurts_without_a_signal) {
    expect_holds("S4");
}

TEST(proofs, S5_no_logit_knows_a_later_token) {
    expect_holds("S5");
}

TEST(proofs, S6_whole_documents_blocks_and_tokens_agree) {
    expect_holds("S6");
}

TEST(proofs, S7_each_loss_reaches_its_parameters) {
    expect_holds("S7");
}

TEST(proofs, S9_the_number_of_neighbours_may_change_at_test) {
    expect_holds("S9");
}

TEST(proofs, S10_the_retriever_alone_learns_to_rank) {
    expect_holds("S10");
}

TEST(proofs, unknown_experiment_is_refused) {
    EXPECT_THROW(prove("S12", short_options()), Error);
}

TEST(proofs, unknown_row_is_refused_by_name_with_those_that_are_known) {
    ProofOptions options = short_options();
    options.rows = {"retro", "rpt_lexx"};
    try {
        prove("S9", options);
        FAIL() << "an unknown row was accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kArgument);
        const std::string text = error.what();
        EXPECT_NE(text.find("\"rpt_lexx\""), std::string::npos);
        EXPECT_NE(text.find("rpt_lex, "), std::string::npos);
    }
}

TEST(proofs, verdict_fails_on_a_failed_check_and_on_none) {
    Verdict verdict;
    EXPECT_FALSE(verdict.passed());
    EXPECT_NE(verdict.to_json().find("\"passed\": null"), std::string::npos);
    verdict.checks.push_back(expect_below("a", 1.0, 2.0));
    EXPECT_TRUE(verdict.passed());
    verdict.checks.push_back(expect_near("b", std::nan(""), 0, 1));
    EXPECT_FALSE(verdict.passed());
    EXPECT_NE(verdict.to_json().find("\"passed\": false"), std::string::npos);
}

}  // namespace
}  // namespace rpt::proofs
