// All of a training run's state in one file: parameters, optimiser moments, the number of updates.
// Data order and random draws depend on that number alone, so nothing else is needed to go on
// exactly (docs/training.md).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/weights/package.h"
#include "lab/train/shard.h"
#include "lab/train/trainer.h"

namespace rpt::train {

// Replaces `path` at once: there is never half a checkpoint. `notes` are kept as metadata.
void save_checkpoint(Trainer& trainer, const ShardVocabulary& vocabulary,
                     const std::map<std::string, std::string>& notes, const std::string& path);

// Fills model, moments and step. Throws kModelMismatch if the checkpoint is of another model or
// tokenizer, kCorrupt naming a tensor that is missing or has another shape.
void load_checkpoint(const std::string& path, const ShardVocabulary& vocabulary, Trainer& trainer);

// A model as training left it, without the optimiser.
struct TrainedModel {
    std::unique_ptr<model::RptModel> model;
    int64_t step = 0;  // 0: not told
    Digest tokenizer{};
    Digest fingerprint{};       // of configuration and weights
    std::string training_json;  // the TrainConfig it was trained with; empty: not told
    std::shared_ptr<const weights::Package> file;  // what it was read from
};
// From a checkpoint or a model package.
TrainedModel load_trained_model(const std::string& path, at::Device device);
bool is_checkpoint(const weights::Package& package);

}  // namespace rpt::train
