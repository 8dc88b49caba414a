// The mean key of what a search looks at: what each number of a key is worth there.
#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <vector>

namespace rpt::storage {

struct Snapshot;

// Column sums of fp16 keys, made when first asked for, by one of the threads that ask. A copy
// begins anew, since what is copied is changed.
class LazySums {
  public:
    LazySums() = default;
    LazySums(const LazySums&) {}
    LazySums& operator=(const LazySums&) = delete;

    // Sums of the [dim] fp16 keys that `visit` shows. Sums of halves are exact in double, so they
    // do not depend on an order.
    using Visitor = std::function<void(const uint16_t* key)>;
    const std::vector<double>& get(size_t dim,
                                   const std::function<void(const Visitor&)>& visit) const;

  private:
    mutable std::once_flag made_;
    mutable std::vector<double> sums_;
};

// [dim], over the live rows; nothing for a snapshot without any.
std::vector<double> key_means(const Snapshot& snapshot);
// `query` with every number times its idf (base/feature_idf.h) in `snapshot`, in place.
void weigh_by_idf(const Snapshot& snapshot, std::span<float> query);

}  // namespace rpt::storage
