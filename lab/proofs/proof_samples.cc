#include "lab/proofs/proof_samples.h"

#include <algorithm>

namespace rpt::proofs {
namespace {

constexpr float kGoldScore = 1.0f;
constexpr float kOtherScore = -0.1f;

// Documents of training and of measuring never meet: the measured ones count from 2^40.
uint64_t training_number(const train::TrainConfig& config, int64_t step, int64_t slot) {
    return static_cast<uint64_t>(step * config.train.batch_documents + slot);
}

void put_gold(const Document& document, train::ChunkLists& lists) {
    const int64_t width = lists.width;
    for (size_t i = 0; i < document.gold.size(); ++i) {
        const auto begin = lists.chunk.begin() + static_cast<int64_t>(i) * width;
        const auto end = begin + width;
        const int32_t gold = document.gold[i];
        auto place = std::find(begin, end, gold);
        if (gold >= 0 && place == end) {
            place = std::find(begin, end, -1);
            if (place == end) --place;
            *place = gold;
        }
        for (auto it = begin; it != end; ++it) {
            lists.score[static_cast<size_t>(it - lists.chunk.begin())] =
                *it < 0 ? 0.0f : (gold >= 0 && *it == gold ? kGoldScore : kOtherScore);
        }
    }
}

}  // namespace

train::Sample make_proof_sample(const Task& task, const train::TrainConfig& config,
                                const Document& document, int64_t step, int64_t slot) {
    train::TrainConfig plain = config;
    const bool known = train::reads_target_cache(config);
    if (known) {  // its candidates, all of them: their scores tell what is worth nothing
        plain.train.targets = train::TargetKind::kBm25Rank;
        plain.train.candidate_share = 0;
    }
    const train::ShardVocabulary vocabulary{
        static_cast<uint32_t>(task.vocab), document.inputs[0], -1, document.inputs[0], {}};
    train::Sample sample =
        make_sample(plain, vocabulary, std::span(document.inputs).subspan(1), step, slot);
    if (known) {
        put_gold(document, sample.candidates);
        if (config.model.ranks())
            sample.pairs = train::count_valid_pairs(config.model, sample.candidates);
    }
    return sample;
}

train::Batch make_proof_batch(const Task& task, const train::TrainConfig& config, uint64_t seed,
                              int64_t step) {
    train::Batch batch;
    batch.step = step;
    for (int64_t slot = 0; slot < config.train.batch_documents; ++slot) {
        const Document document =
            task.make(config.model, config.train.length, seed, training_number(config, step, slot));
        batch.samples.push_back(make_proof_sample(task, config, document, step, slot));
        batch.n_targets += batch.samples.back().n_tokens;
        batch.pairs += batch.samples.back().pairs;
    }
    return batch;
}

}  // namespace rpt::proofs
