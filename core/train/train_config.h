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
enum class TargetKind { kNone, kBm25Rank, kLexicalProxy };  // spec 2.8 RPT-Lex; spec 8.2.12
enum class GivenQuery {
    kChunk,
    kChunkAndTarget
};  // what BM25 is asked for a model with given neighbours
enum class Precision { kFp32, kBf16 };

struct DataSource {
    std::string shard;
    double weight = 1.0;  // share of the samples, relative to the others'
};

struct TrainOptions {
    int64_t steps = 1000;
    int64_t batch_documents = 4;  // samples a step
    int64_t micro_documents = 0;  // samples a forward pass; 0: all of the step's
    int64_t length = 4096;        // L, tokens a sample; a multiple of the model's stride
    double min_fill =
        0.25;  // documents shorter than this share of L are left out; others are padded
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
    // Retrieval.
    TargetKind targets = TargetKind::kBm25Rank;
    int64_t candidates = 20;
    double proxy_threshold = 0.05;  // subtracted from the lexical proxy's score a token
    LambdaForm lambda = LambdaForm::kCode;
    double tau_start = 1.0;
    double tau_max = 4.0;
    double tau_fraction = 0.9;
    double alpha_max = 0.1;
    double alpha_ramp_fraction = 0.2;
    bool detach_aux =
        false;  // the ranking loss trains the retriever's own weights alone, not the trunk
    double own_start = 0.01;
    double sampling_end_fraction = 0.65;
    bool sampling_per_chunk = true;  // false: one draw a step, as the paper
    double neighbour_dropout = 0.0;  // share of samples that read without a memory
    GivenQuery given_query = GivenQuery::kChunk;
    // Machine.
    Precision precision = Precision::kFp32;
    int64_t threads = 0;  // 0: as many as the machine has cores
    // Record.
    int64_t log_every = 10;
    int64_t checkpoint_every = 500;
    int64_t validate_every = 500;
    int64_t validate_samples = 4;  // of every validation shard
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
};

}  // namespace rpt::train
