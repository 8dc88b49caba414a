#include "lab/train/batch.h"

#include "base/error.h"
#include "lab/train/counter_random.h"

namespace rpt::train {
namespace {

constexpr uint64_t kWithholdStream = 11;
constexpr uint64_t kOwnStream = 12;

ChunkLists cached_candidates(const TargetCache* targets, std::span<const int32_t> inputs,
                             int64_t n_tokens, std::string_view document) {
    auto lists = targets != nullptr ? targets->find(inputs, n_tokens) : std::nullopt;
    if (lists) return *std::move(lists);
    throw Error(Status::kNotFound, "rpt",
                "no target scores for a piece of document \"" + std::string(document) + "\" in " +
                    (targets != nullptr ? "\"" + targets->path() + "\"" : "any target cache") +
                    "; run rpt-lab targets with this configuration, its seeds and all its steps");
}

}  // namespace

bool reads_target_cache(const TrainConfig& config) {
    return config.train.targets == TargetKind::kLmScores && config.model.has_retriever() &&
           (config.model.ranks() || config.train.teacher_pick > 0);
}

Sample make_sample(const TrainConfig& config, const ShardVocabulary& vocabulary,
                   std::span<const int32_t> text, int64_t step, int64_t slot,
                   const TargetCache* targets, std::string_view document) {
    const model::ModelConfig& model = config.model;
    const TrainOptions& options = config.train;
    const int64_t length = options.length;
    const int64_t n = static_cast<int64_t>(text.size());
    const int64_t l = length / model.chunk;
    RPT_CHECK(n > 0 && n <= length);

    Sample sample;
    sample.n_tokens = n;
    sample.inputs.assign(length, vocabulary.pad);
    sample.targets.assign(length, -1);
    sample.inputs[0] = vocabulary.bos;
    for (int64_t p = 0; p < n; ++p) {
        if (p + 1 < n) sample.inputs[p + 1] = text[p];
        sample.targets[p] = text[p];
    }
    const uint64_t place = static_cast<uint64_t>(step * options.batch_documents + slot);
    sample.withheld =
        draw_uniform(options.seed, kWithholdStream, place) < options.neighbour_dropout;
    for (int64_t i = 0; i < l; ++i) {
        const uint64_t draw = options.sampling_per_chunk
                                  ? place * static_cast<uint64_t>(l) + static_cast<uint64_t>(i)
                                  : static_cast<uint64_t>(step);
        sample.own_draws.push_back(
            static_cast<float>(draw_uniform(options.seed, kOwnStream, draw)));
    }
    const std::vector<int32_t> ids(sample.inputs.begin(), sample.inputs.end());
    if (model.has_retriever()) {
        if (reads_target_cache(config)) {
            sample.candidates = cached_candidates(targets, ids, n, document);
        } else {
            // the language model's loss asks no teacher, but where one is to pick
            TrainOptions supervision = options;
            if (!model.ranks() && options.teacher_pick == 0)
                supervision.targets = TargetKind::kNone;
            sample.candidates = make_candidates(model, supervision, ids, n);
        }
        if (model.ranks()) sample.pairs = count_valid_pairs(model, sample.candidates);
    } else if (model.retrieval == model::RetrievalKind::kGiven) {
        sample.given = make_given_neighbours(model, options.given_query, model.neighbours, ids, n);
    }
    return sample;
}

}  // namespace rpt::train
