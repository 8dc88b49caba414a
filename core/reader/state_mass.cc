#include "core/reader/state_mass.h"

#include <algorithm>
#include <cmath>

#include "core/reader/exp_weights.h"

namespace rpt::reader {
namespace {

constexpr float kSame = 0.95f;  // cosine of a begin token's states that were rounded to four bits

float dot(const float* a, const float* b, size_t n) {
    float sums[16] = {};
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (size_t lane = 0; lane < 16; ++lane) sums[lane] += a[i + lane] * b[i + lane];
    float sum = 0;
    for (; i < n; ++i) sum += a[i] * b[i];
    for (const float lane : sums) sum += lane;
    return sum;
}

// Rows of one length, and whose they are.
struct Rows {
    std::vector<float> values;    // [n, dim]
    std::vector<uint32_t> owner;  // [n]

    size_t size() const { return owner.size(); }
};

void append(Rows& rows, std::span<const float> states, uint32_t owner, std::span<const float> begin,
            size_t dim) {
    const float length = std::sqrt(dot(begin.data(), begin.data(), dim));
    for (size_t at = 0; at + dim <= states.size(); at += dim) {
        const float* row = states.data() + at;
        const float same = dot(row, begin.data(), dim);
        if (same > kSame * length * std::sqrt(dot(row, row, dim))) continue;
        rows.values.insert(rows.values.end(), row, row + dim);
        rows.owner.push_back(owner);
    }
}

void make_unit(Rows& rows, std::span<const float> mean, size_t dim) {
    for (size_t i = 0; i < rows.size(); ++i) {
        float* row = rows.values.data() + i * dim;
        for (size_t d = 0; d < dim; ++d) row[d] -= mean[d];
        const float length = std::sqrt(dot(row, row, dim));
        if (length > 0)
            for (size_t d = 0; d < dim; ++d) row[d] /= length;
    }
}

std::vector<float> mean_of(const Rows& rows, size_t dim) {
    std::vector<double> sum(dim);
    for (size_t i = 0; i < rows.values.size(); ++i) sum[i % dim] += double(rows.values[i]);
    std::vector<float> mean(dim);
    for (size_t d = 0; d < dim; ++d) mean[d] = static_cast<float>(sum[d] / double(rows.size()));
    return mean;
}

}  // namespace

std::vector<storage::Hit> rank_by_states(std::span<const uint64_t> chunks,
                                         std::span<const std::vector<float>* const> states,
                                         std::span<const float> question, size_t dim,
                                         const CallControl& control) {
    if (question.size() < dim || chunks.empty()) return {};
    const std::span<const float> begin = question.first(dim);
    Rows asked, places;
    append(asked, question.subspan(dim), 0, begin, dim);
    for (size_t i = 0; i < chunks.size(); ++i)
        if (states[i] != nullptr) append(places, *states[i], static_cast<uint32_t>(i), begin, dim);
    if (asked.size() == 0 || places.size() == 0) return {};
    const std::vector<float> mean = mean_of(places, dim);
    make_unit(asked, mean, dim);
    make_unit(places, mean, dim);

    std::vector<double> mass(chunks.size());
    std::vector<float> scores(places.size()), weights(places.size());
    for (size_t t = 0; t < asked.size(); ++t) {
        control.check();
        for (size_t j = 0; j < places.size(); ++j)
            scores[j] = dot(asked.values.data() + t * dim, places.values.data() + j * dim, dim);
        weigh_scores(scores.data(), scores.size(), kStateTemperature, weights.data());
        double total = 0;
        for (const float weight : weights) total += double(weight);
        for (size_t j = 0; j < places.size(); ++j)
            mass[places.owner[j]] += double(weights[j]) / total / double(asked.size());
    }
    std::vector<storage::Hit> hits;
    for (size_t i = 0; i < chunks.size(); ++i)
        if (mass[i] > 0) hits.push_back({chunks[i], static_cast<float>(mass[i])});
    std::ranges::sort(hits, [](const storage::Hit& a, const storage::Hit& b) {
        return a.score != b.score ? a.score > b.score : a.chunk_id < b.chunk_id;
    });
    return hits;
}

std::vector<storage::Hit> rank_by_states(storage::Store& store, std::span<const uint64_t> chunks,
                                         std::span<const float> question, size_t dim,
                                         const CallControl& control) {
    std::vector<storage::Hit> wanted;
    for (const uint64_t chunk : chunks) wanted.push_back({chunk, 0});
    const std::vector<storage::HitStates> loaded = store.load_states(wanted, false);
    std::vector<const std::vector<float>*> states;
    for (const storage::HitStates& one : loaded) states.push_back(one.chunk.get());
    return rank_by_states(chunks, states, question, dim, control);
}

}  // namespace rpt::reader
