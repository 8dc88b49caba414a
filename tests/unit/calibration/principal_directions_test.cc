#include "core/calibration/principal_directions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace rpt::calibration {
namespace {

double noise(uint64_t& state) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(static_cast<int64_t>(state)) * 0x1p-63;
}

// Rows whose channels are mixed and of sizes from 1 to 1 / 40, about a mean that is not zero.
std::vector<std::vector<float>> rows(size_t n, size_t d) {
    uint64_t state = 7;
    std::vector<double> mix(d * d);
    for (double& value : mix) value = noise(state);
    std::vector<std::vector<float>> out(n, std::vector<float>(d));
    for (auto& row : out) {
        std::vector<double> source(d);
        for (size_t c = 0; c < d; ++c) source[c] = noise(state) / double(1 + c);
        for (size_t i = 0; i < d; ++i) {
            double sum = 3;
            for (size_t c = 0; c < d; ++c) sum += mix[i * d + c] * source[c];
            row[i] = float(sum);
        }
    }
    return out;
}

// The slow twin: all eigenvalues by Jacobi's rotations, largest first.
std::vector<double> eigenvalues(std::vector<double> a, size_t d) {
    for (int sweep = 0; sweep < 60; ++sweep)
        for (size_t p = 0; p < d; ++p)
            for (size_t q = p + 1; q < d; ++q) {
                if (std::abs(a[p * d + q]) < 1e-300) continue;
                const double angle =
                    0.5 * std::atan2(2 * a[p * d + q], a[q * d + q] - a[p * d + p]);
                const double c = std::cos(angle), s = std::sin(angle);
                for (size_t k = 0; k < d; ++k) {
                    const double x = a[k * d + p], y = a[k * d + q];
                    a[k * d + p] = c * x - s * y;
                    a[k * d + q] = s * x + c * y;
                }
                for (size_t k = 0; k < d; ++k) {
                    const double x = a[p * d + k], y = a[q * d + k];
                    a[p * d + k] = c * x - s * y;
                    a[q * d + k] = s * x + c * y;
                }
            }
    std::vector<double> out(d);
    for (size_t i = 0; i < d; ++i) out[i] = a[i * d + i];
    std::ranges::sort(out, std::greater());
    return out;
}

double variance_inside(const std::vector<double>& basis, const std::vector<double>& covariance,
                       size_t d) {
    double sum = 0;
    for (size_t r = 0; r * d < basis.size(); ++r)
        for (size_t i = 0; i < d; ++i)
            for (size_t j = 0; j < d; ++j)
                sum += basis[r * d + i] * covariance[i * d + j] * basis[r * d + j];
    return sum;
}

double product(const std::vector<double>& basis, size_t a, size_t b, size_t d) {
    return std::inner_product(basis.begin() + ptrdiff_t(a * d),
                              basis.begin() + ptrdiff_t(a * d + d),
                              basis.begin() + ptrdiff_t(b * d), 0.0);
}

}  // namespace

TEST(PrincipalDirections, moments_are_those_of_the_rows) {
    const auto all = rows(50, 6);
    Moments moments(6);
    for (const auto& row : all) moments.add(row);
    const auto mean = moments.mean(), square = moments.mean_square(), c = moments.covariance();
    EXPECT_EQ(moments.count(), 50u);
    for (size_t i = 0; i < 6; ++i) {
        double sum = 0, squares = 0;
        for (const auto& row : all) sum += row[i], squares += double(row[i]) * row[i];
        EXPECT_NEAR(mean[i], sum / 50, 1e-9);
        EXPECT_NEAR(square[i], squares / 50, 1e-9);
        for (size_t j = 0; j < 6; ++j) {
            double products = 0;
            for (const auto& row : all) products += (row[i] - mean[i]) * (row[j] - mean[j]);
            EXPECT_NEAR(c[i * 6 + j], products / 50, 1e-9);
        }
    }
}

TEST(PrincipalDirections, hold_as_much_variance_as_the_best_basis_of_their_number) {
    constexpr size_t kDim = 40;
    Moments moments(kDim);
    for (const auto& row : rows(400, kDim)) moments.add(row);
    const auto covariance = moments.covariance();
    const auto values = eigenvalues(covariance, kDim);
    for (const size_t n : {size_t(1), size_t(8), kDim}) {
        const auto basis = principal_directions(covariance, kDim, n);
        const double best = std::accumulate(values.begin(), values.begin() + ptrdiff_t(n), 0.0);
        EXPECT_NEAR(variance_inside(basis, covariance, kDim) / best, 1, 1e-4) << n;
        for (size_t a = 0; a < n; ++a)
            for (size_t b = 0; b < n; ++b)
                EXPECT_NEAR(product(basis, a, b, kDim), a == b ? 1 : 0, 1e-9);
        EXPECT_EQ(basis, principal_directions(covariance, kDim, n));
    }
}

TEST(PrincipalDirections, of_a_smaller_rank_end_in_zeros) {
    Moments moments(4);
    for (int i = 0; i < 9; ++i) {
        const float x = float(i % 3), y = float(i / 3);
        moments.add(std::vector<float>{x, y, x + y, 5});
    }
    const auto basis = principal_directions(moments.covariance(), 4, 3);
    EXPECT_NEAR(product(basis, 0, 0, 4), 1, 1e-9);
    EXPECT_NEAR(product(basis, 1, 1, 4), 1, 1e-9);
    EXPECT_NEAR(product(basis, 2, 2, 4), 0, 1e-9);
}

}  // namespace rpt::calibration
