#include "lab/train/training_data.h"

#include <filesystem>

#include "base/error.h"
#include "lab/train/batch.h"

namespace rpt::train {

namespace fs = std::filesystem;

std::shared_ptr<const Shard> open_training_shard(const TrainConfig& config,
                                                 const std::string& data_dir,
                                                 const std::string& name) {
    const std::string path = (fs::path(data_dir) / name).string();
    auto shard = Shard::open(path);
    if (shard->vocabulary().size > config.model.vocab) {
        throw Error(Status::kArgument, "rpt",
                    "shard \"" + path + "\" has " + std::to_string(shard->vocabulary().size) +
                        " token kinds, model.vocab is " + std::to_string(config.model.vocab));
    }
    return shard;
}

void require_same_vocabulary(const ShardVocabulary& a, const ShardVocabulary& b) {
    if (a != b)
        throw Error(Status::kArgument, "rpt", "the shards were made with different tokenizers");
}

TrainingData open_training_data(const TrainConfig& config, const std::string& data_dir) {
    TrainingData data;
    for (const DataSource& source : config.data) {
        data.shards.push_back({open_training_shard(config, data_dir, source.shard), source.weight,
                               source.across_documents, source.fim});
        require_same_vocabulary(data.shards.back().shard->vocabulary(),
                                data.shards.front().shard->vocabulary());
    }
    data.vocabulary = data.shards.front().shard->vocabulary();
    return data;
}

SampleSource training_source(const TrainConfig& config, const TrainingData& data) {
    const TrainOptions& t = config.train;
    const QuoteRule quotes{t.quotes, static_cast<uint64_t>(config.model.chunk)};
    return SampleSource(data.shards, t.length, t.min_fill, t.data_seed != 0 ? t.data_seed : t.seed,
                        quotes);
}

std::shared_ptr<const TargetCache> open_training_targets(const TrainConfig& config,
                                                         const std::string& data_dir,
                                                         const ShardVocabulary& vocabulary) {
    if (!reads_target_cache(config)) return nullptr;
    const std::string path = (fs::path(data_dir) / config.train.target_cache).string();
    auto cache = TargetCache::open(path, config.model, config.train.candidates);
    if (cache->header().tokenizer != to_hex(vocabulary.tokenizer)) {
        throw Error(Status::kModelMismatch, "rpt",
                    "target cache \"" + path +
                        "\" was made with another tokenizer than the shards'; run rpt-lab targets "
                        "on these shards");
    }
    return cache;
}

}  // namespace rpt::train
