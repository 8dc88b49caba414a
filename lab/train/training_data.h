// The files that a configuration names, opened and checked: what a run reads and what is prepared
// for it must be the same pieces.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lab/train/sample_source.h"
#include "lab/train/target_cache.h"
#include "lab/train/train_config.h"

namespace rpt::train {

struct TrainingData {
    std::vector<WeightedShard> shards;
    ShardVocabulary vocabulary;
};

// Throws kArgument for shards of more token kinds than the model has, or of different tokenizers.
TrainingData open_training_data(const TrainConfig& config, const std::string& data_dir);
std::shared_ptr<const Shard> open_training_shard(const TrainConfig& config,
                                                 const std::string& data_dir,
                                                 const std::string& name);
void require_same_vocabulary(const ShardVocabulary& a, const ShardVocabulary& b);

// The pieces of a run in their order, from the first step on.
SampleSource training_source(const TrainConfig& config, const TrainingData& data);

// The target cache that the configuration asks for; empty where it needs none. Throws what
// TargetCache::open() throws, and kModelMismatch for another tokenizer.
std::shared_ptr<const TargetCache> open_training_targets(const TrainConfig& config,
                                                         const std::string& data_dir,
                                                         const ShardVocabulary& vocabulary);

}  // namespace rpt::train
