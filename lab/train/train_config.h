// Everything that decides a training run, as one JSON file (docs/training.md). No torch types.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/config.h"

namespace rpt::train {

enum class LambdaForm {
    kCode,
    kTextbook
};  // spec 2.4: the released code's weight, or the usual one
// Where the target scores of candidates come from: BM25 ranks (spec 2.8, RPT-Lex), a language model
// (spec 2.2, RPT-Sem; made beforehand by `rpt-lab targets`), shared rare words (spec 8.2.12).
enum class TargetKind { kNone, kBm25Rank, kLmScores, kLexicalProxy };
enum class GivenQuery {
    kChunk,
    kChunkAndTarget
};  // what BM25 is asked for a model with given neighbours
enum class Precision { kFp32, kBf16 };

struct DataSource {
    std::string shard;
    double weight = 1.0;  // share of the samples, relative to the others'
    // Samples go on through documents of the same collection, so that one retrieves from another;
    // otherwise a sample is part of one document.
    bool across_documents = false;
    double fim = 0.0;  // share of documents turned into prefix, suffix, middle
};

struct TrainOptions {
    int64_t steps = 1000;
    int64_t batch_documents = 4;  // samples a step
    int64_t micro_documents = 0;  // samples a forward pass; 0: all of the step's
    int64_t length = 4096;        // L, tokens a sample; a multiple of the model's stride
    double min_fill =
        0.25;             // documents shorter than this share of L are left out; others are padded
    double quotes = 0.0;  // share of chunk borders that repeat a passage of the sample's past
    // Optimiser.
    double lr = 2e-3;
    double embedding_lr_scale =
        1.0;  // of the embedding's rate: entries of size 1 need longer strides
    double warmup_fraction = 0.02;
    double min_lr_fraction = 0.1;
    double weight_decay = 0.1;  // on matrices only
    double beta1 = 0.9;
    double beta2 = 0.95;
    double eps = 1e-8;
    double clip = 1.0;  // of the global gradient norm; 0: none
    uint64_t seed = 1;
    uint64_t data_seed = 0;  // of the pieces and their order; 0: as `seed`
    // Retrieval.
    TargetKind targets = TargetKind::kBm25Rank;
    std::string target_cache;  // of lm_scores: a file in the data directory
    int64_t candidates = 20;
    double candidate_share = 0;     // least part of the question's idf that one holds
    double proxy_threshold = 0.05;  // subtracted from the lexical proxy's score a token
    LambdaForm lambda = LambdaForm::kCode;
    double tau_start = 1.0;
    double tau_max = 4.0;
    double tau_fraction = 0.9;
    double alpha_max = 0.1;
    double alpha_ramp_fraction = 0.2;
    bool detach_aux =
        false;  // the ranking loss trains the retriever's own weights alone, not the trunk
    bool retriever_only = false;  // and nothing else is trained or computed
    double own_start = 0.01;
    double own_end = 1.0;  // 0 with own_start 0: only teacher forcing
    double sampling_end_fraction = 0.65;
    bool sampling_per_chunk = true;  // false: one draw a step, as the paper
    double neighbour_dropout = 0.0;  // share of samples that read without a memory
    // With scores that weigh (retrieval gca).
    int64_t train_neighbours = 8;      // K in training; a chunk reads its whole pool before that
    double gca_dense_fraction = 0.08;  // share of the steps with the whole pool
    double gca_noise_start = 1.0;      // scale of the Gumbel noise on the choice
    double gca_noise_end = 0.3;
    double teacher_pick = 0.0;       // chance that the last neighbour of a chunk is the teacher's
    double foreign_negatives = 0.0;  // share of steps whose pool holds the other samples' chunks
    GivenQuery given_query = GivenQuery::kChunk;
    // Machine.
    Precision precision = Precision::kFp32;
    int64_t threads = 0;  // 0: as many as the machine has cores
    int64_t workers = 1;  // passes at the same time, each on its share of the threads
    // Record.
    int64_t log_every = 10;
    int64_t checkpoint_every = 500;
    int64_t validate_every = 500;
    int64_t validate_samples = 4;  // of every validation shard

    // Samples that go through the model together.
    int64_t documents_a_pass() const;
};

struct TrainConfig {
    model::ModelConfig model;
    std::vector<DataSource> data;
    std::vector<std::string> validation;  // shards
    TrainOptions train;

    // Throws kArgument naming the field that does not fit.
    void validate() const;
    std::string to_json() const;
    // Unknown keys are refused by name; missing keys keep their defaults. `overrides` are
    // "section.key=value" (or "key=value" for the section "train"), values as JSON or bare words.
    // Validates.
    static TrainConfig from_json(const std::string& text,
                                 const std::vector<std::string>& overrides = {});
    // A file with "parent": another file, relative to it, of which it names what differs; parents
    // may have parents. `tier` (empty: none) is a file that stands before all of them: sizes, data
    // and steps that rows of an experiment share. Two keys mean a change of what was said before:
    // model.extra_layers (half of them lower, the odd one upper) and train.steps_scale.
    // Throws kIo naming a file that cannot be read, kArgument for a circle of parents.
    static TrainConfig from_file(const std::string& path, const std::string& tier = "",
                                 const std::vector<std::string>& overrides = {});
};

}  // namespace rpt::train
