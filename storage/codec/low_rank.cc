#include "storage/codec/low_rank.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

namespace rpt::storage {
namespace {

constexpr int kSweeps = 30;  // Jacobi converges in about eight

// Turns rows and columns p and q of the symmetric `a` [n, n] so that a[p][q] vanishes, and the rows
// of `vectors` with them (Golub and Van Loan, Matrix Computations, 8.5).
void rotate(std::vector<double>& a, std::vector<double>& vectors, size_t n, size_t p, size_t q) {
    const double tau = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
    const double t = (tau >= 0 ? 1 : -1) / (std::abs(tau) + std::sqrt(1 + tau * tau));
    const double c = 1 / std::sqrt(1 + t * t), s = t * c;
    const auto turn = [c, s](double& x, double& y) {
        const double old = x;
        x = c * old - s * y;
        y = s * old + c * y;
    };
    for (size_t i = 0; i < n; ++i) turn(a[i * n + p], a[i * n + q]);
    for (size_t i = 0; i < n; ++i) turn(a[p * n + i], a[q * n + i]);
    for (size_t i = 0; i < n; ++i) turn(vectors[p * n + i], vectors[q * n + i]);
}

// Rows are the eigenvectors of the symmetric `a` [n, n], largest eigenvalue first.
std::vector<double> eigenvectors(std::vector<double> a, size_t n) {
    std::vector<double> vectors(n * n, 0.0);
    for (size_t i = 0; i < n; ++i) vectors[i * n + i] = 1;
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
        double trace = 0, beside = 0;
        for (size_t p = 0; p < n; ++p) {
            trace += std::abs(a[p * n + p]);
            for (size_t q = p + 1; q < n; ++q) beside += a[p * n + q] * a[p * n + q];
        }
        // far below what int8 leaves
        if (beside <= 1e-20 * trace * trace) break;
        for (size_t p = 0; p < n; ++p)
            for (size_t q = p + 1; q < n; ++q)
                if (a[p * n + q] != 0) rotate(a, vectors, n, p, q);
    }
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t i, size_t j) { return a[i * n + i] > a[j * n + j]; });
    std::vector<double> sorted(n * n);
    for (size_t i = 0; i < n; ++i)
        std::copy_n(vectors.begin() + order[i] * n, n, sorted.begin() + i * n);
    return sorted;
}

// Writes n bytes to `out`, `stride` apart; returns what they are to be multiplied with.
double quantise(const double* values, size_t n, uint8_t* out, size_t stride) {
    double largest = 0;
    for (size_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(values[i]));
    for (size_t i = 0; i < n; ++i) {
        const double code = largest > 0 ? std::nearbyint(values[i] / largest * 127) : 0;
        out[i * stride] = static_cast<uint8_t>(static_cast<int8_t>(code));
    }
    return largest / 127;
}

// Scales fp32 [rank], left int8 [n, rank], right int8 [rank, dim].
struct Factors {
    std::vector<float> scales;
    const int8_t* left;
    const int8_t* right;
    bool finite;
};

Factors factors_of(const uint8_t* body, size_t n, size_t rank) {
    static_assert(std::endian::native == std::endian::little);
    Factors f;
    f.scales.resize(rank);
    if (rank > 0) std::memcpy(f.scales.data(), body, rank * 4);
    f.left = reinterpret_cast<const int8_t*>(body + 4 * rank);
    f.right = f.left + n * rank;
    f.finite = true;
    for (const float scale : f.scales) f.finite = f.finite && std::isfinite(scale);
    return f;
}

bool all_finite(const float* values, size_t n) {
    bool finite = true;
    for (size_t i = 0; i < n; ++i) finite &= std::abs(values[i]) <= 3.4e38f;
    return finite;
}

}  // namespace

size_t low_rank_body(size_t n, size_t dim, size_t rank) {
    return rank * (4 + n + dim);
}

void write_low_rank(const float* states, size_t n, size_t dim, size_t rank, uint8_t* body) {
    // left singular vectors are the eigenvectors of states times its transpose
    std::vector<double> gram(n * n);
    for (size_t i = 0; i < n; ++i) {
        for (size_t j = 0; j <= i; ++j) {
            double sum = 0;
            for (size_t c = 0; c < dim; ++c)
                sum += static_cast<double>(states[i * dim + c]) * states[j * dim + c];
            gram[i * n + j] = gram[j * n + i] = sum;
        }
    }
    const std::vector<double> left = eigenvectors(std::move(gram), n);
    std::vector<double> right(dim);
    uint8_t* left_out = body + 4 * rank;
    uint8_t* right_out = left_out + n * rank;
    for (size_t k = 0; k < rank; ++k) {
        std::fill(right.begin(), right.end(), 0.0);
        for (size_t i = 0; i < n; ++i)
            for (size_t c = 0; c < dim; ++c) right[c] += left[k * n + i] * states[i * dim + c];
        const auto scale = static_cast<float>(quantise(&left[k * n], n, left_out + k, rank) *
                                              quantise(right.data(), dim, right_out + k * dim, 1));
        std::memcpy(body + 4 * k, &scale, 4);
    }
}

bool read_low_rank(const uint8_t* body, size_t n, size_t dim, size_t rank, float* states) {
    const Factors f = factors_of(body, n, rank);
    if (!f.finite) return false;
    std::fill_n(states, n * dim, 0.0f);
    std::vector<float> right(dim);
    for (size_t k = 0; k < rank; ++k) {
        for (size_t c = 0; c < dim; ++c)
            right[c] = f.scales[k] * static_cast<float>(f.right[k * dim + c]);
        for (size_t t = 0; t < n; ++t) {
            const auto left = static_cast<float>(f.left[t * rank + k]);
            float* out = states + t * dim;
            for (size_t c = 0; c < dim; ++c) out[c] += left * right[c];
        }
    }
    return all_finite(states, n * dim);
}

namespace plain {

bool read_low_rank(const uint8_t* body, size_t n, size_t dim, size_t rank, float* states) {
    const Factors f = factors_of(body, n, rank);
    if (!f.finite) return false;
    for (size_t t = 0; t < n; ++t) {
        for (size_t c = 0; c < dim; ++c) {
            double sum = 0;
            for (size_t k = 0; k < rank; ++k)
                sum +=
                    static_cast<double>(f.scales[k]) * f.left[t * rank + k] * f.right[k * dim + c];
            states[t * dim + c] = static_cast<float>(sum);
        }
    }
    return all_finite(states, n * dim);
}

}  // namespace plain
}  // namespace rpt::storage
