#include "lab/train/exploration.h"

#include <algorithm>
#include <cmath>

#include "lab/train/counter_random.h"
#include "lab/train/neighbour_choice.h"
#include "lab/train/schedules.h"

namespace rpt::train {
namespace {

constexpr uint64_t kNoiseStream = 21;
constexpr uint64_t kTeacherStream = 22;
constexpr uint64_t kForeignStream = 23;

// Adding it to scores and taking the best k draws k without replacement, with odds exp(score).
float gumbel(uint64_t seed, uint64_t index) {
    const double u = draw_uniform(seed, kNoiseStream, index) + 0x1p-54;  // never 0
    return static_cast<float>(-std::log(-std::log(u)));
}

int64_t whole_chunks(const Sample& sample, int64_t m) {
    return sample.n_tokens / m;
}

}  // namespace

Exploration exploration_at(const TrainOptions& options, int64_t step) {
    Exploration e;
    e.step = step;
    e.whole_pool =
        static_cast<double>(step) < options.gca_dense_fraction * static_cast<double>(options.steps);
    e.noise = linear_ramp(step, options.gca_noise_start, options.gca_noise_end, options.steps);
    e.foreign = draw_uniform(options.seed, kForeignStream, static_cast<uint64_t>(step)) <
                options.foreign_negatives;
    return e;
}

std::vector<std::vector<int64_t>> explore_neighbours(const TrainConfig& config,
                                                     std::span<const Sample> samples, size_t number,
                                                     std::span<const float> scores,
                                                     const Exploration& exploration, int64_t slot) {
    const TrainOptions& t = config.train;
    const Sample& sample = samples[number];
    const int64_t m = config.model.chunk;
    const int64_t l = static_cast<int64_t>(sample.inputs.size()) / m;
    const int64_t columns = static_cast<int64_t>(scores.size()) / l;
    std::vector<std::vector<int64_t>> chosen(static_cast<size_t>(l));
    if (sample.withheld) return chosen;

    std::vector<int32_t> foreign;
    for (int64_t j = l; j < columns; ++j) {
        const Sample& other = samples[(number + static_cast<size_t>(j / l)) % samples.size()];
        if (j % l < whole_chunks(other, m)) foreign.push_back(static_cast<int32_t>(j));
    }
    const int64_t place = exploration.step * t.batch_documents + slot;
    for (int64_t i = 0; i * m < sample.n_tokens; ++i) {
        const uint64_t row = static_cast<uint64_t>(place * l + i);
        std::vector<int32_t> pool;
        for (int64_t j = 0; j <= model::last_retrievable(config.model, i) && j < l; ++j)
            pool.push_back(static_cast<int32_t>(j));
        pool.insert(pool.end(), foreign.begin(), foreign.end());
        std::vector<float> noisy;
        for (const int32_t j : pool) {
            const uint64_t index =
                row * static_cast<uint64_t>(t.batch_documents * l) + static_cast<uint64_t>(j);
            noisy.push_back(scores[static_cast<size_t>(i * columns + j)] +
                            static_cast<float>(exploration.noise) * gumbel(t.seed, index));
        }
        const int64_t size = static_cast<int64_t>(pool.size());
        const int64_t k = exploration.whole_pool ? size : t.train_neighbours;
        std::vector<int64_t>& row_chosen = chosen[static_cast<size_t>(i)];
        for (const int32_t at : top_k(noisy, size, k))
            row_chosen.push_back(pool[static_cast<size_t>(at)]);
        if (row_chosen.empty() || !(draw_uniform(t.seed, kTeacherStream, row) < t.teacher_pick))
            continue;
        const int64_t width = sample.candidates.width;
        const auto taught = teacher_top_k(
            std::span(sample.candidates.chunk).subspan(static_cast<size_t>(i * width), width),
            std::span(sample.candidates.score).subspan(static_cast<size_t>(i * width), width), 1);
        if (!taught.empty() &&
            std::find(row_chosen.begin(), row_chosen.end(), taught[0]) == row_chosen.end()) {
            row_chosen.back() = taught[0];
        }
    }
    return chosen;
}

}  // namespace rpt::train
