#include "core/text/bm25.h"

#include <algorithm>
#include <cmath>

namespace rpt::text {

namespace {

constexpr double kK1 = 1.5;
constexpr double kB = 0.75;
constexpr double kFloor = 0.25;  // of the mean idf, for tokens in more than half of the chunks

double weight(double frequency, double length, double average_length) {
    return frequency * (kK1 + 1) / (frequency + kK1 * (1 - kB + kB * length / average_length));
}

}  // namespace

Bm25::Bm25(std::span<const std::span<const int32_t>> chunks) {
    struct Occurrence {
        int32_t token, chunk;
        auto operator<=>(const Occurrence&) const = default;
    };
    std::vector<Occurrence> occurrences;
    for (size_t j = 0; j < chunks.size(); ++j) {
        chunks_.emplace_back(chunks[j].begin(), chunks[j].end());
        for (int32_t token : chunks[j]) occurrences.push_back({token, int32_t(j)});
    }
    if (occurrences.empty()) return;
    const double n = double(chunks.size());
    average_length_ = double(occurrences.size()) / n;
    std::sort(occurrences.begin(), occurrences.end());
    for (size_t i = 0; i < occurrences.size();) {
        const auto [token, chunk] = occurrences[i];
        size_t end = i;
        while (end < occurrences.size() && occurrences[end] == occurrences[i]) ++end;
        if (idf_.empty() || idf_.back().first != token) {
            idf_.emplace_back(token, 0.0);
            postings_.emplace_back();
        }
        const double length = double(chunks_[size_t(chunk)].size());
        postings_.back().push_back({chunk, weight(double(end - i), length, average_length_)});
        i = end;
    }
    double sum = 0;
    for (size_t t = 0; t < idf_.size(); ++t) {
        const double n_t = double(postings_[t].size());
        idf_[t].second = std::log(n - n_t + 0.5) - std::log(n_t + 0.5);
        sum += idf_[t].second;
    }
    const double floor = kFloor * sum / double(idf_.size());
    for (auto& [token, value] : idf_)
        if (value < 0) value = floor;
}

int64_t Bm25::find(int32_t token) const {
    const auto found =
        std::lower_bound(idf_.begin(), idf_.end(), token,
                         [](const auto& entry, int32_t t) { return entry.first < t; });
    return found == idf_.end() || found->first != token ? -1 : found - idf_.begin();
}

double Bm25::idf(int32_t token) const {
    const int64_t place = find(token);
    return place < 0 ? 0.0 : idf_[size_t(place)].second;
}

std::vector<Bm25::Scored> Bm25::top(std::span<const int32_t> query, int64_t end, size_t k) const {
    const size_t limit = size_t(std::clamp<int64_t>(end, 0, int64_t(chunks_.size())));
    if (limit == 0 || k == 0) return {};
    std::vector<double> scores(limit, 0.0);
    std::vector<uint8_t> touched(limit, 0);
    std::vector<int32_t> candidates;
    // one occurrence at a time, in the query's order: the sums are bit for bit those of
    // scores_slow()
    for (int32_t token : query) {
        const int64_t place = find(token);
        if (place < 0) continue;
        const double idf = idf_[size_t(place)].second;
        for (const Posting& posting : postings_[size_t(place)]) {
            const size_t chunk = size_t(posting.chunk);
            if (chunk >= limit) break;
            scores[chunk] += idf * posting.weight;
            if (!touched[chunk]) {
                touched[chunk] = 1;
                candidates.push_back(posting.chunk);
            }
        }
    }
    const size_t count = std::min(k, candidates.size());
    std::partial_sort(candidates.begin(), candidates.begin() + ptrdiff_t(count), candidates.end(),
                      [&](int32_t a, int32_t b) {
                          const double x = scores[size_t(a)], y = scores[size_t(b)];
                          return x != y ? x > y : a < b;
                      });
    std::vector<Scored> best;
    best.reserve(count);
    for (size_t i = 0; i < count; ++i)
        best.push_back({candidates[i], float(scores[size_t(candidates[i])])});
    return best;
}

std::vector<double> Bm25::scores_slow(std::span<const int32_t> query) const {
    std::vector<double> scores(chunks_.size(), 0.0);
    for (size_t j = 0; j < chunks_.size(); ++j) {
        for (int32_t token : query) {
            const auto f = std::count(chunks_[j].begin(), chunks_[j].end(), token);
            if (f > 0)
                scores[j] +=
                    idf(token) * weight(double(f), double(chunks_[j].size()), average_length_);
        }
    }
    return scores;
}

}  // namespace rpt::text
