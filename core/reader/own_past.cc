#include "core/reader/own_past.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/feature_idf.h"
#include "base/half.h"

namespace rpt::reader {

namespace {

// Eight sums side by side: the compiler may use vectors, and the order of additions is fixed.
float dot(const float* a, const float* b, size_t n) {
    float sums[8] = {};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t lane = 0; lane < 8; ++lane) sums[lane] += a[i + lane] * b[i + lane];
    for (; i < n; ++i) sums[i % 8] += a[i] * b[i];
    float sum = 0;
    for (float part : sums) sum += part;
    return sum;
}

}  // namespace

void OwnPast::append(const engine::EncodedChunk& chunk, ByteSpan bytes) {
    RPT_CHECK(chunk.index == entries_.size() && (chunk.key.empty() || chunk.key.size() == dim_));
    Entry entry{bytes, std::vector<uint16_t>(chunk.states.size())};
    to_halves(chunk.states.data(), entry.states.data(), chunk.states.size());
    keys_.insert(keys_.end(), chunk.key.begin(), chunk.key.end());
    if (chunk.key.empty()) keys_.resize(keys_.size() + dim_, std::nanf(""));
    try {
        entries_.push_back(std::move(entry));
    } catch (...) {
        keys_.resize(entries_.size() * dim_);
        throw;
    }
}

void OwnPast::truncate(uint64_t n) {
    if (n >= entries_.size()) return;
    entries_.erase(entries_.begin() + ptrdiff_t(n), entries_.end());
    keys_.erase(keys_.begin() + ptrdiff_t(n * dim_), keys_.end());
    if (summed_ > n) summed_ = 0;
}

std::vector<float> OwnPast::weighed(std::span<const float> query, uint64_t n) const {
    if (summed_ > n) summed_ = 0;
    if (summed_ == 0) sums_.assign(dim_, 0.0);
    for (; summed_ < n; ++summed_) {
        const float* key = keys_.data() + summed_ * dim_;
        for (size_t i = 0; i < dim_; ++i) sums_[i] += double(key[i]);
    }
    std::vector<float> out(query.begin(), query.end());
    for (size_t i = 0; i < dim_; ++i)
        out[i] = static_cast<float>(double(out[i]) * feature_idf(sums_[i] / double(n)));
    return out;
}

std::vector<OwnPast::Scored> OwnPast::search(std::span<const float> query, int64_t last,
                                             size_t k) const {
    if (last < 0 || k == 0) return {};
    RPT_CHECK(query.size() == dim_);
    const uint64_t n = std::min<uint64_t>(uint64_t(last) + 1, entries_.size());
    std::vector<float> weighed_query;
    if (weigh_by_idf_ && n > 0) query = weighed_query = weighed(query, n);
    const float scale = 1.0f / std::sqrt(float(dim_));
    std::vector<Scored> all;
    all.reserve(n);
    for (uint64_t chunk = 0; chunk < n; ++chunk) {
        const float score = dot(query.data(), keys_.data() + chunk * dim_, dim_) * scale;
        if (std::isfinite(score)) all.push_back({chunk, score});
    }
    const size_t kept = std::min(k, all.size());
    std::partial_sort(all.begin(), all.begin() + ptrdiff_t(kept), all.end(),
                      [](const Scored& a, const Scored& b) {
                          return a.score != b.score ? a.score > b.score : a.chunk < b.chunk;
                      });
    all.resize(kept);
    return all;
}

std::vector<float> OwnPast::states(uint64_t chunk) const {
    const Entry& entry = entries_.at(chunk);
    std::vector<float> out(entry.states.size());
    from_halves(entry.states.data(), out.data(), out.size());
    return out;
}

}  // namespace rpt::reader
