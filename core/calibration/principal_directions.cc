#include "core/calibration/principal_directions.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/error.h"

namespace rpt::calibration {
namespace {

constexpr int kMostIterations = 200;
constexpr double kEnough = 1e-6;

double dot(const double* a, const double* b, size_t n) {
    double sum[4] = {};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t k = 0; k < 4; ++k) sum[k] += a[i + k] * b[i + k];
    for (; i < n; ++i) sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

// Modified Gram-Schmidt, twice: once is not enough where rows are nearly parallel. A row that
// depends on those before it becomes zero.
void orthonormalise(std::vector<double>& rows, size_t width, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        double* row = &rows[i * width];
        const double before = std::sqrt(dot(row, row, width));
        for (int pass = 0; pass < 2; ++pass)
            for (size_t j = 0; j < i; ++j) {
                const double* other = &rows[j * width];
                const double share = dot(row, other, width);
                for (size_t c = 0; c < width; ++c) row[c] -= share * other[c];
            }
        const double length = std::sqrt(dot(row, row, width));
        const double scale = length > 1e-12 * before && length > 0 ? 1 / length : 0;
        for (size_t c = 0; c < width; ++c) row[c] *= scale;
    }
}

// Numbers in [-1, 1) without a pattern that a covariance could share (splitmix64).
std::vector<double> start(size_t size) {
    std::vector<double> out(size);
    uint64_t state = 0;
    for (double& value : out) {
        uint64_t x = state += 0x9E3779B97F4A7C15u;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
        value = static_cast<double>(static_cast<int64_t>(x ^ (x >> 31))) * 0x1p-63;
    }
    return out;
}

}  // namespace

Moments::Moments(size_t width) : width_(width), sum_(width), product_(width * width) {}

void Moments::add(std::span<const float> row) {
    RPT_CHECK(row.size() == width_);
    std::vector<double> x(row.begin(), row.end());
    ++count_;
    for (size_t i = 0; i < width_; ++i) {
        sum_[i] += x[i];
        double* products = &product_[i * width_];
        for (size_t j = i; j < width_; ++j) products[j] += x[i] * x[j];
    }
}

std::vector<double> Moments::mean() const {
    std::vector<double> out(sum_);
    for (double& value : out) value /= static_cast<double>(std::max<size_t>(1, count_));
    return out;
}

std::vector<double> Moments::mean_square() const {
    std::vector<double> out(width_);
    for (size_t i = 0; i < width_; ++i)
        out[i] = product_[i * width_ + i] / static_cast<double>(std::max<size_t>(1, count_));
    return out;
}

std::vector<double> Moments::covariance() const {
    const std::vector<double> middle = mean();
    std::vector<double> out(width_ * width_);
    for (size_t i = 0; i < width_; ++i)
        for (size_t j = i; j < width_; ++j)
            out[i * width_ + j] = out[j * width_ + i] =
                product_[i * width_ + j] / static_cast<double>(std::max<size_t>(1, count_)) -
                middle[i] * middle[j];
    return out;
}

std::vector<double> principal_directions(std::span<const double> covariance, size_t width, size_t n,
                                         const CallControl& control) {
    RPT_CHECK(covariance.size() == width * width && n <= width);
    std::vector<double> rows = start(n * width), next(n * width);
    orthonormalise(rows, width, n);
    double inside = 0;
    for (int iteration = 0; iteration < kMostIterations; ++iteration) {
        double variance = 0;
        for (size_t i = 0; i < n; ++i) {
            control.check();
            const double* row = &rows[i * width];
            double* out = &next[i * width];
            for (size_t c = 0; c < width; ++c) out[c] = dot(row, &covariance[c * width], width);
            variance += dot(row, out, width);
        }
        rows.swap(next);
        orthonormalise(rows, width, n);
        if (std::abs(variance - inside) <= kEnough * std::abs(variance)) break;
        inside = variance;
    }
    return rows;
}

}  // namespace rpt::calibration
