// The synthetic documents say what they claim: what is asked for stands where gold says, out of
// reach of attention, and nowhere else.
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "lab/proofs/proof_samples.h"
#include "lab/proofs/row_run.h"
#include "lab/proofs/task.h"
#include "lab/train/candidates.h"
#include "lab/train/neighbour_choice.h"

namespace rpt::proofs {
namespace {

constexpr int64_t kLength = 1024;

model::ModelConfig sizes() {
    model::ModelConfig c;
    c.chunk = 16;
    c.stride = 64;
    return c;
}

std::vector<int32_t> chunk_of(const Document& d, int64_t i, int64_t m) {
    return {d.inputs.begin() + i * m, d.inputs.begin() + (i + 1) * m};
}

// Tokens of the values that the chunk after `i` has to predict.
std::vector<int32_t> values_after(const Document& d, int64_t i, int64_t m) {
    std::vector<int32_t> values;
    for (int64_t p = (i + 1) * m - 1; p < (i + 2) * m - 1; ++p) {
        if (d.value[static_cast<size_t>(p)]) values.push_back(d.inputs[static_cast<size_t>(p + 1)]);
    }
    return values;
}

struct Found {
    int64_t questions = 0;
    int64_t by_chunk = 0, with_target = 0;  // gold among BM25's first two
};

Found ask_bm25(const Task& task, uint64_t documents) {
    const auto c = sizes();
    Found found;
    for (uint64_t number = 0; number < documents; ++number) {
        const Document d = task.make(c, kLength, 3, number);
        const auto tokens = std::span(d.inputs).first(kLength);
        const auto chunk =
            train::make_given_neighbours(c, train::GivenQuery::kChunk, 2, tokens, kLength);
        const auto both =
            train::make_given_neighbours(c, train::GivenQuery::kChunkAndTarget, 2, tokens, kLength);
        for (size_t i = 0; i < d.gold.size(); ++i) {
            if (d.gold[i] < 0) continue;
            const auto holds = [&](const train::ChunkLists& lists) {
                return lists.chunk[2 * i] == d.gold[i] || lists.chunk[2 * i + 1] == d.gold[i];
            };
            ++found.questions;
            found.by_chunk += holds(chunk);
            found.with_target += holds(both);
        }
    }
    return found;
}

TEST(proof_documents, depend_on_seed_and_number_alone) {
    const auto c = sizes();
    for (const char* name : {"S1", "S2", "S2-unaligned", "S2-elsewhere", "S3", "S4"}) {
        const Task task = task_named(name);
        const Document a = task.make(c, kLength, 1, 7), b = task.make(c, kLength, 1, 7);
        EXPECT_EQ(a.inputs, b.inputs) << name;
        EXPECT_EQ(a.gold, b.gold) << name;
        EXPECT_NE(a.inputs, task.make(c, kLength, 1, 8).inputs) << name;
        EXPECT_NE(a.inputs, task.make(c, kLength, 2, 7).inputs) << name;
        EXPECT_EQ(a.inputs.size(), static_cast<size_t>(kLength + 1));
        for (const int32_t token : a.inputs) {
            EXPECT_GE(token, 0);
            EXPECT_LT(token, task.vocab) << name;
        }
    }
    EXPECT_THROW(task_named("S5"), Error);
}

TEST(proof_documents, gold_holds_the_values_and_is_out_of_reach) {
    const auto c = sizes();
    for (const char* name : {"S1", "S2", "S2-unaligned", "S3"}) {
        int64_t questions = 0;
        for (uint64_t number = 0; number < 8; ++number) {
            const Document d = task_named(name).make(c, kLength, 3, number);
            EXPECT_LT(d.gold.back(), 0);  // nothing comes after it
            for (int64_t i = 0; i + 1 < std::ssize(d.gold); ++i) {
                const int64_t gold = d.gold[static_cast<size_t>(i)];
                const auto wanted = values_after(d, i, c.chunk);
                EXPECT_EQ(gold >= 0, !wanted.empty()) << name;
                if (gold < 0) continue;
                ++questions;
                EXPECT_LE(gold, model::last_retrievable(c, i)) << name;
                auto pair = chunk_of(d, gold, c.chunk);
                const auto second = chunk_of(d, gold + 1, c.chunk);
                pair.insert(pair.end(), second.begin(), second.end());
                EXPECT_NE(std::search(pair.begin(), pair.end(), wanted.begin(), wanted.end()),
                          pair.end())
                    << name << " document " << number << " chunk " << i;
            }
        }
        EXPECT_GT(questions, 8 * 8) << name;
    }
}

TEST(proof_documents, elsewhere_keeps_the_values_out_of_the_pair) {
    const auto c = sizes();
    const Document d = task_named("S2-elsewhere").make(c, kLength, 3, 0);
    int64_t questions = 0;
    for (int64_t i = 0; i < std::ssize(d.gold); ++i) {
        if (d.gold[static_cast<size_t>(i)] < 0) continue;
        ++questions;
        const int64_t gold = d.gold[static_cast<size_t>(i)];
        EXPECT_EQ(chunk_of(d, i, c.chunk), chunk_of(d, gold, c.chunk));
        EXPECT_EQ(chunk_of(d, i + 1, c.chunk), chunk_of(d, gold + 2, c.chunk));
    }
    EXPECT_GT(questions, 3);
}

// The key and the copy can be found by their words; the alias by those of the answer alone.
TEST(proof_documents, bm25_finds_what_it_should) {
    for (const Task& task : {key_lookup(), far_copy(0, Continuation::kNext)}) {
        const Found found = ask_bm25(task, 16);
        EXPECT_GT(found.by_chunk, found.questions * 98 / 100) << task.name;
        EXPECT_GT(found.with_target, found.questions * 98 / 100) << task.name;
    }
    const Found alias = ask_bm25(alias_lookup(), 16);
    EXPECT_LT(alias.by_chunk, alias.questions * 6 / 100);
    EXPECT_GT(alias.with_target, alias.questions * 98 / 100);
}

TEST(proof_documents, alias_question_shares_no_rare_word_with_its_definition) {
    const auto c = sizes();
    const Task task = alias_lookup();
    const Document d = task.make(c, kLength, 3, 0);
    for (int64_t i = 0; i < std::ssize(d.gold); ++i) {
        const int64_t gold = d.gold[static_cast<size_t>(i)];
        if (gold < 0) continue;
        const auto question = chunk_of(d, i, c.chunk), definition = chunk_of(d, gold, c.chunk);
        const std::set<int32_t> asked(question.begin(), question.end());
        // all but the filler words, which come last
        for (const int32_t token : definition) {
            const bool filler = token >= task.vocab - 512;
            EXPECT_FALSE(!filler && asked.contains(token)) << i;
        }
    }
}

// Chunks of S3 with a pool, by what the share leaves to be taught of them.
struct Taught {
    int64_t questions = 0, definition_first = 0, decoy_too = 0;
    int64_t idle = 0, idle_taught = 0;  // neither question nor answer
};

Taught taught_with(double share) {
    const auto c = sizes();
    train::TrainOptions options;
    options.candidates = 2;
    options.candidate_share = share;
    Taught taught;
    for (uint64_t number = 0; number < 16; ++number) {
        const Document d = alias_lookup().make(c, kLength, 3, number);
        const auto lists =
            train::make_candidates(c, options, std::span(d.inputs).first(kLength), kLength);
        for (size_t i = 1; i + 1 < d.gold.size(); ++i) {
            if (model::last_retrievable(c, static_cast<int64_t>(i)) < 1) continue;
            const int32_t first = lists.chunk[2 * i], second = lists.chunk[2 * i + 1];
            if (d.gold[i] >= 0) {
                ++taught.questions;
                taught.definition_first += first == d.gold[i];
                taught.decoy_too += second >= 0;
            } else if (d.gold[i - 1] < 0) {
                ++taught.idle;
                taught.idle_taught += first >= 0;
            }
        }
    }
    return taught;
}

TEST(proof_documents, the_share_of_the_proofs_teaches_definitions_and_little_else) {
    const Taught all = taught_with(0);
    EXPECT_GT(all.decoy_too, all.questions * 95 / 100);
    EXPECT_GT(all.idle_taught, all.idle * 95 / 100);
    RunOptions options;
    options.configs = std::string(RPT_SOURCE_DIR) + "/configs";
    const double share = row_config(alias_lookup(), "rpt_lex", options).train.candidate_share;
    EXPECT_GT(share, 0);
    const Taught some = taught_with(share);
    EXPECT_GT(some.definition_first, some.questions * 95 / 100);
    EXPECT_LT(some.decoy_too, some.questions * 30 / 100);
    EXPECT_LT(some.idle_taught, some.idle * 20 / 100);
}

TEST(proof_documents, known_gold_stands_for_the_scores_of_a_language_model) {
    train::TrainConfig config;
    config.model = sizes();
    config.model.vocab = alias_lookup().vocab;
    config.model.retrieval = model::RetrievalKind::kLambdaRank;
    config.train.length = kLength;
    config.train.targets = train::TargetKind::kLmScores;
    const Document d = alias_lookup().make(config.model, kLength, 3, 0);
    const train::Sample sample = make_proof_sample(alias_lookup(), config, d, 0, 0);
    EXPECT_GT(sample.pairs, 0);
    EXPECT_EQ(sample.n_tokens, kLength);
    for (int64_t p = 0; p < kLength; ++p) {
        EXPECT_EQ(sample.inputs[static_cast<size_t>(p)], d.inputs[static_cast<size_t>(p)]);
        EXPECT_EQ(sample.targets[static_cast<size_t>(p)], d.inputs[static_cast<size_t>(p + 1)]);
    }
    const int64_t width = sample.candidates.width;
    for (int64_t i = 0; i < std::ssize(d.gold); ++i) {
        const auto best =
            train::teacher_top_k(std::span(sample.candidates.chunk).subspan(i * width, width),
                                 std::span(sample.candidates.score).subspan(i * width, width), 2);
        if (d.gold[static_cast<size_t>(i)] < 0) {
            EXPECT_TRUE(best.empty());
        } else {
            EXPECT_EQ(best, std::vector<int32_t>{d.gold[static_cast<size_t>(i)]});
        }
    }
}

}  // namespace
}  // namespace rpt::proofs
