// The directions in which vectors differ most.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/cancel.h"

namespace rpt::calibration {

// Rows that are added one after the other, and what is left of them: count, sum and sums of
// products. 8 d^2 bytes. One thread at a time.
class Moments {
  public:
    explicit Moments(size_t width);
    void add(std::span<const float> row);  // [width]
    size_t width() const { return width_; }
    size_t count() const { return count_; }
    std::vector<double> mean() const;         // [width]
    std::vector<double> mean_square() const;  // [width], about zero
    std::vector<double> covariance() const;   // [width, width]

  private:
    size_t width_, count_ = 0;
    std::vector<double> sum_;      // [width]
    std::vector<double> product_;  // [width, width]; the upper triangle
};

// An orthonormal basis [n, width] of the n principal directions of a covariance, by orthogonal
// iteration (Golub and Van Loan, Matrix Computations, section 8.2.4). It spans the directions; the
// rows are not the eigenvectors themselves, which a cosine cannot tell. A covariance of a rank
// below n leaves rows of zeros. Always the same for equal numbers. It ends when an iteration adds
// less than 1e-6 of the variance inside.
std::vector<double> principal_directions(std::span<const double> covariance, size_t width, size_t n,
                                         const CallControl& control = {});

}  // namespace rpt::calibration
