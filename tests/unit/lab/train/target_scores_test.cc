// Supervision by a language model: scores, their file, and training on them.
#include "lab/train/target_scores.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "lab/network/model_weights.h"
#include "lab/train/batch_pipeline.h"
#include "lab/train/counter_random.h"
#include "lab/train/training_data.h"
#include "lab/train/training_run.h"
#include "tests/unit/lab/network/tiny_models.h"

namespace rpt::train {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTokens = 96;

// Text that comes back, so that BM25 finds candidates.
std::vector<int32_t> piece(uint64_t seed = 1) {
    std::vector<int32_t> tokens;
    for (uint64_t p = 0; p < kTokens; ++p)
        tokens.push_back(static_cast<int32_t>(draw_below(seed, p / 4 % 5, p % 4, 36)));
    return tokens;
}

model::ModelConfig reader_config() {
    return model::tiny_config();  // chunks of 4, blocks of 8
}

ScoringOptions all_scores() {
    return {5, 5, 1};
}

void expect_close(const ChunkLists& a, const ChunkLists& b, const std::string& name) {
    ASSERT_EQ(a.chunk, b.chunk) << name;
    ASSERT_EQ(a.score.size(), b.score.size()) << name;
    for (size_t slot = 0; slot < a.score.size(); ++slot)
        EXPECT_NEAR(a.score[slot], b.score[slot], 2e-5) << name << " slot " << slot;
}

size_t filled(const ChunkLists& lists) {
    return lists.chunk.size() -
           static_cast<size_t>(std::count(lists.chunk.begin(), lists.chunk.end(), -1));
}

bool has_other_memory(const model::ModelConfig& config) {
    return !config.memorizing_layers.empty() || !config.recurrent_layers.empty() ||
           !config.griffin_layers.empty();
}

// The twins take a whole pass for every term.
ScoringOptions few_scores() {
    return {5, 2, 3};
}

TEST(TargetScoresTest, shared_prefixes_give_what_single_passes_give) {
    at::set_num_threads(1);  // passes over a few tokens gain nothing by more
    const auto tokens = piece();
    for (const auto& [name, config] : model::all_variants()) {
        if (has_other_memory(config)) continue;
        const model::RptModel scorer(config, 3);
        const auto reader = make_context_reader(ScoringContext::kPrefix, scorer, 4, at::kCPU);
        const auto fast = score_targets(*reader, reader_config(), few_scores(), tokens, kTokens);
        ASSERT_GT(filled(fast), 5u);
        expect_close(fast,
                     score_targets_slow(*reader, reader_config(), few_scores(), tokens, kTokens),
                     name);
    }
}

TEST(TargetScoresTest, memory_in_batches_gives_what_single_passes_give) {
    at::set_num_threads(1);  // passes over a few tokens gain nothing by more
    const auto tokens = piece();
    for (const auto& [name, config] : model::all_variants()) {
        if (!config.has_cca() || config.scores_weigh() || has_other_memory(config)) continue;
        const model::RptModel scorer(config, 3);
        const auto reader = make_context_reader(ScoringContext::kMemory, scorer, 4, at::kCPU);
        const auto fast = score_targets(*reader, reader_config(), few_scores(), tokens, kTokens);
        expect_close(fast,
                     score_targets_slow(*reader, reader_config(), few_scores(), tokens, kTokens),
                     name);
    }
}

TEST(TargetScoresTest, scorer_may_have_chunks_of_another_size) {
    at::set_num_threads(1);  // passes over a few tokens gain nothing by more
    const auto tokens = piece();
    for (const auto context : {ScoringContext::kPrefix, ScoringContext::kMemory}) {
        auto config = model::tiny_config();
        config.chunk = 6;
        config.stride = 12;
        const model::RptModel scorer(config, 3);
        const auto reader = make_context_reader(context, scorer, 4, at::kCPU);
        expect_close(score_targets(*reader, reader_config(), few_scores(), tokens, kTokens),
                     score_targets_slow(*reader, reader_config(), few_scores(), tokens, kTokens),
                     context_name(context));
    }
}

// The definition of spec 2.2, by whole logits of one forward pass.
TEST(TargetScoresTest, prefix_score_is_the_difference_of_two_plain_passes) {
    const at::NoGradGuard no_grad;
    auto config = model::tiny_config();
    config.retrieval = model::RetrievalKind::kNone;
    config.cca_layers.clear();
    config.stride = 16;
    const model::RptModel scorer(config, 3);
    const auto tokens = piece();
    const auto log_p = [&](std::vector<int64_t> chunks) {
        std::vector<int64_t> text;
        for (const int64_t c : chunks)
            text.insert(text.end(), tokens.begin() + c * 4, tokens.begin() + c * 4 + 4);
        const at::Tensor hidden =
            scorer.upper(scorer.lower(at::tensor(text).unsqueeze(0)), at::Tensor());
        const at::Tensor logs = at::log_softmax(scorer.logits(hidden[0]), -1);
        double sum = 0;
        for (int64_t p = 11; p < 15; ++p) sum += logs[p][text[p + 1]].item<double>();
        return sum / 4;
    };
    const auto reader = make_context_reader(ScoringContext::kPrefix, scorer, 4, at::kCPU);
    const auto lists = score_targets(*reader, reader_config(), all_scores(), tokens, kTokens);
    const int64_t i = 20, j = lists.chunk[i * 5];
    ASSERT_GE(j, 0);
    EXPECT_NEAR(lists.score[i * 5], log_p({j, j + 1, i, i + 1}) - log_p({i - 2, i - 1, i, i + 1}),
                1e-5);
}

TEST(TargetScoresTest, memory_score_is_that_of_the_models_own_upper_half) {
    const at::NoGradGuard no_grad;
    const auto config = model::tiny_config();  // blocks of two chunks: query and target are one
    const model::RptModel scorer(config, 3);
    const auto tokens = piece();
    const std::vector<int64_t> wide(tokens.begin(), tokens.end());
    const auto low = scorer.lower(at::tensor(wide).unsqueeze(0));
    const auto log_p = [&](int64_t i, int64_t j) {
        model::LowerOutput two;
        two.hidden = low.hidden.narrow(1, i * 4, 8);
        two.states = low.states.narrow(1, j, 2);
        const at::Tensor neighbours = at::tensor({int64_t{0}, int64_t{-1}}).view({1, 2, 1});
        const at::Tensor logs =
            at::log_softmax(scorer.logits(scorer.upper(two, neighbours)[0]), -1);
        double sum = 0;
        for (int64_t p = 3; p < 7; ++p) sum += logs[p][tokens[i * 4 + p + 1]].item<double>();
        return sum / 4;
    };
    const auto reader = make_context_reader(ScoringContext::kMemory, scorer, 4, at::kCPU);
    const auto lists = score_targets(*reader, reader_config(), all_scores(), tokens, kTokens);
    const int64_t i = 20, j = lists.chunk[i * 5 + 1];
    ASSERT_GE(j, 0);
    EXPECT_NEAR(lists.score[i * 5 + 1], log_p(i, j) - log_p(i, i - 2), 1e-5);
}

TEST(TargetScoresTest, top_and_every_leave_candidates_out_and_change_no_score) {
    const model::RptModel scorer(model::tiny_config(), 3);
    const auto tokens = piece();
    const auto reader = make_context_reader(ScoringContext::kPrefix, scorer, 4, at::kCPU);
    const auto all = score_targets(*reader, reader_config(), all_scores(), tokens, kTokens);
    const auto some = score_targets(*reader, reader_config(), {5, 2, 2}, tokens, kTokens);
    for (size_t slot = 0; slot < all.chunk.size(); ++slot) {
        const bool kept = slot % 5 < 2 && slot / 5 % 2 == 0;
        EXPECT_EQ(some.chunk[slot], kept ? all.chunk[slot] : -1);
        EXPECT_NEAR(some.score[slot], kept ? all.score[slot] : 0.0f, 1e-5);
    }
}

TEST(TargetScoresTest, scorer_that_cannot_read_the_context_is_refused) {
    const auto refused = [](ScoringContext context, const model::ModelConfig& config) {
        const model::RptModel scorer(config, 3);
        try {
            make_context_reader(context, scorer, 4, at::kCPU);
        } catch (const Error& error) {
            return error.status() == Status::kUnsupported;
        }
        return false;
    };
    for (const auto& [name, config] : model::all_variants()) {
        EXPECT_EQ(refused(ScoringContext::kPrefix, config), has_other_memory(config)) << name;
        EXPECT_EQ(refused(ScoringContext::kMemory, config),
                  !config.has_cca() || config.scores_weigh() || has_other_memory(config))
            << name;
    }
}

class TargetCacheTest : public ::testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() /
                  ("rpt_targets_" +
                   std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        path_ = (folder_ / "a.targets").string();
        header_ = target_cache_header(reader_config(), 5);
        header_.scorer = "test";
    }
    void TearDown() override { fs::remove_all(folder_); }

    static ChunkLists lists(float score) {
        ChunkLists l;
        l.width = 5;
        l.chunk.assign(kTokens / 4 * 5, -1);
        l.score.assign(kTokens / 4 * 5, 0.0f);
        l.chunk[20 * 5] = 3;
        l.score[20 * 5] = score;
        return l;
    }
    void write(std::initializer_list<uint64_t> seeds) const {
        TargetCacheWriter writer(path_, header_);
        for (const uint64_t seed : seeds)
            writer.add(piece(seed), kTokens, lists(static_cast<float>(seed)));
    }
    std::string bytes() const {
        std::ifstream in(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void replace(const std::string& with) const {
        std::ofstream(path_, std::ios::binary | std::ios::trunc) << with;
    }
    auto open() const { return TargetCache::open(path_, reader_config(), 5); }
    Status refusal(const model::ModelConfig& model, int64_t candidates) const {
        try {
            TargetCache::open(path_, model, candidates);
        } catch (const Error& error) {
            return error.status();
        }
        return Status::kOk;
    }

    fs::path folder_;
    std::string path_;
    TargetCacheHeader header_;
};

TEST_F(TargetCacheTest, pieces_come_back_as_they_were_written) {
    write({1, 2});
    const auto cache = open();
    EXPECT_EQ(cache->size(), 2u);
    EXPECT_EQ(cache->header(), header_);
    const auto found = cache->find(piece(2), kTokens);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->width, 5);
    EXPECT_EQ(found->chunk, lists(2).chunk);
    EXPECT_EQ(found->score, lists(2).score);
    EXPECT_FALSE(cache->find(piece(3), kTokens));
    EXPECT_FALSE(cache->find(piece(2), kTokens - 1));  // as many tokens, but not all are text
}

TEST_F(TargetCacheTest, torn_record_at_the_end_is_cut_off_and_written_again) {
    write({1, 2});
    const std::string whole = bytes();
    for (const size_t lost : {1u, 100u, 1000u}) {
        replace(whole.substr(0, whole.size() - lost));
        EXPECT_EQ(open()->size(), 1u);
        write({1, 2});  // goes on: the first piece is there
        EXPECT_EQ(bytes(), whole);
    }
    replace(whole.substr(0, 9));  // killed inside the header
    write({1, 2});
    EXPECT_EQ(bytes(), whole);
}

TEST_F(TargetCacheTest, flipped_bytes_are_corruption) {
    write({1, 2});
    const std::string whole = bytes();
    for (const size_t at : {size_t{0}, size_t{40}, whole.size() / 2, whole.size() - 1}) {
        std::string broken = whole;
        broken[at] = static_cast<char>(broken[at] ^ 4);
        replace(broken);
        EXPECT_EQ(refusal(reader_config(), 5), Status::kCorrupt) << at;
        EXPECT_THROW(TargetCacheWriter(path_, header_), Error) << at;
    }
    std::string newer = whole;
    newer[8] = 9;
    replace(newer);
    EXPECT_EQ(refusal(reader_config(), 5), Status::kVersion);
    fs::remove(path_);
    EXPECT_EQ(refusal(reader_config(), 5), Status::kNotFound);
}

TEST_F(TargetCacheTest, candidate_outside_its_pool_is_corruption) {
    {
        TargetCacheWriter writer(path_, header_);
        ChunkLists bad = lists(1);
        bad.chunk[20 * 5] = 19;
        writer.add(piece(), kTokens, bad);
    }
    EXPECT_EQ(refusal(reader_config(), 5), Status::kCorrupt);
}

TEST_F(TargetCacheTest, another_models_cache_is_refused) {
    write({1});
    auto other = reader_config();
    other.chunk = 8;
    EXPECT_EQ(refusal(other, 5), Status::kModelMismatch);
    other = reader_config();
    other.stride = 16;
    EXPECT_EQ(refusal(other, 5), Status::kModelMismatch);
    other = reader_config();
    other.pool = model::PoolRule::kPaper;
    EXPECT_EQ(refusal(other, 5), Status::kModelMismatch);
    EXPECT_EQ(refusal(reader_config(), 4), Status::kModelMismatch);
    auto another = header_;
    another.top = 3;
    EXPECT_THROW(TargetCacheWriter(path_, another), Error);
}

TEST_F(TargetCacheTest, report_counts_positives_and_the_best_of_the_first) {
    {
        TargetCacheWriter writer(path_, header_);
        ChunkLists l = lists(-0.5f);
        l.chunk[20 * 5 + 1] = 1;
        l.score[20 * 5 + 1] = 0.25f;
        l.chunk[21 * 5] = 2;
        l.score[21 * 5] = -0.25f;
        writer.add(piece(), kTokens, l);
    }
    const TargetReport r = report_targets(*open());
    EXPECT_EQ(r.pieces, 1);
    EXPECT_EQ(r.chunks, 2);
    EXPECT_EQ(r.scores, 3);
    EXPECT_DOUBLE_EQ(r.with_positive, 0.5);
    EXPECT_DOUBLE_EQ(r.mean_best, 0.0);
    EXPECT_DOUBLE_EQ(r.best_of[0], -0.375);
    EXPECT_DOUBLE_EQ(r.best_of[1], 0.0);
}

// A run of two steps on a small shard, with its scores beside it.
class TargetTrainingTest : public TargetCacheTest {
  protected:
    void SetUp() override {
        TargetCacheTest::SetUp();
        ShardWriter writer((folder_ / "a.shard").string(), {37, 0, 1, 2, {}});
        for (uint64_t d = 0; d < 2; ++d) {
            std::vector<int32_t> text = piece(d + 1);
            const auto more = piece(d + 11);
            text.insert(text.end(), more.begin(), more.end());
            writer.add({"d" + std::to_string(d), "c", "s", 0, 0, 200}, text);
        }
        writer.finish();
        config_.model = model::tiny_config();
        config_.data = {{"a.shard", 1.0}};
        config_.train.steps = 2;
        config_.train.batch_documents = 2;
        config_.train.length = kTokens;
        config_.train.candidates = 5;
        config_.train.targets = TargetKind::kLmScores;
        config_.train.target_cache = "a.targets";
        config_.train.data_seed = 7;
        config_.train.threads = 1;
        config_.train.log_every = 1;
        header_.tokenizer = to_hex(Digest{});
    }

    // Scores the pieces of the first `steps` steps.
    void score(int64_t steps) const {
        const model::RptModel scorer(model::tiny_config(), 3);
        const auto reader = make_context_reader(ScoringContext::kPrefix, scorer, 4, at::kCPU);
        const TrainingData data = open_training_data(config_, folder_.string());
        SampleSource source = training_source(config_, data);
        TrainConfig plain = config_;
        plain.train.targets = TargetKind::kNone;
        TargetCacheWriter writer(path_, header_);
        for (int64_t place = 0; place < steps * 2; ++place) {
            const Sample sample = make_sample(plain, data.vocabulary, source.read(source.next()),
                                              place / 2, place % 2);
            const std::vector<int32_t> ids(sample.inputs.begin(), sample.inputs.end());
            if (writer.contains(ids, sample.n_tokens)) continue;
            writer.add(ids, sample.n_tokens,
                       score_targets(*reader, config_.model, all_scores(), ids, sample.n_tokens));
        }
    }

    TrainConfig config_;
};

TEST_F(TargetTrainingTest, training_reads_the_scores_of_its_pieces) {
    score(2);
    const TrainingData data = open_training_data(config_, folder_.string());
    const auto targets = open_training_targets(config_, folder_.string(), data.vocabulary);
    BatchPipeline pipeline(config_, data.vocabulary, training_source(config_, data), 0, targets);
    const Batch batch = pipeline.next();
    for (const Sample& sample : batch.samples) {
        const std::vector<int32_t> ids(sample.inputs.begin(), sample.inputs.end());
        EXPECT_EQ(sample.candidates.score, targets->find(ids, sample.n_tokens)->score);
    }
    EXPECT_GT(batch.pairs, 0);
    const RunPaths paths{folder_.string(), (folder_ / "run").string(), "", {}};
    double aux = 0;
    RunHooks hooks;
    hooks.stepped = [&](const StepReport& report, double, double) { aux += report.aux; };
    EXPECT_TRUE(run_training(config_, paths, false, at::kCPU, hooks));
    EXPECT_GT(aux, 0.0);
}

TEST_F(TargetTrainingTest, scoring_in_two_runs_gives_the_bytes_of_one) {
    score(2);
    const std::string straight = bytes();
    fs::remove(path_);
    score(1);
    EXPECT_LT(bytes().size(), straight.size());
    score(2);
    EXPECT_EQ(bytes(), straight);
}

TEST_F(TargetTrainingTest, piece_without_scores_is_an_error_that_names_document_and_command) {
    score(1);
    config_.train.data_seed = 8;
    const RunPaths paths{folder_.string(), (folder_ / "run").string(), "", {}};
    try {
        run_training(config_, paths, false, at::kCPU, {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kNotFound);
        EXPECT_NE(std::string(error.what()).find("document \"d"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("rpt-lab targets"), std::string::npos);
    }
}

TEST_F(TargetTrainingTest, models_that_do_not_rank_load_nothing) {
    config_.model.retrieval = model::RetrievalKind::kGiven;
    const TrainingData data = open_training_data(config_, folder_.string());
    EXPECT_EQ(open_training_targets(config_, folder_.string(), data.vocabulary), nullptr);
    BatchPipeline pipeline(config_, data.vocabulary, training_source(config_, data), 0);
    EXPECT_EQ(pipeline.next().samples.size(), 2u);
}

TEST_F(TargetTrainingTest, scores_of_another_tokenizer_are_refused) {
    header_.tokenizer = "other";
    score(1);
    const TrainingData data = open_training_data(config_, folder_.string());
    EXPECT_THROW(open_training_targets(config_, folder_.string(), data.vocabulary), Error);
}

}  // namespace
}  // namespace rpt::train
