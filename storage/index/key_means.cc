#include "storage/index/key_means.h"

#include "base/feature_idf.h"
#include "base/half.h"
#include "storage/index/snapshot.h"

namespace rpt::storage {

const std::vector<double>& LazySums::get(size_t dim,
                                         const std::function<void(const Visitor&)>& visit) const {
    std::call_once(made_, [&] {
        std::vector<double> sums(dim);
        std::vector<float> values(dim);
        visit([&](const uint16_t* key) {
            from_halves(key, values.data(), dim);
            for (size_t i = 0; i < dim; ++i) sums[i] += double(values[i]);
        });
        sums_ = std::move(sums);
    });
    return sums_;
}

std::vector<double> key_means(const Snapshot& snapshot) {
    std::vector<double> means;
    for (const RowRun& run : snapshot.runs) {
        const KeyRows& rows = *run.rows;
        const std::vector<double>& all = rows.sums().get(rows.dim(), [&](const auto& add) {
            for (size_t row = 0; row < rows.size(); ++row) add(rows.key(row));
        });
        means.resize(all.size());
        for (size_t i = 0; i < all.size(); ++i) means[i] += all[i];
        if (run.dead == nullptr) continue;
        const std::vector<double>& gone = run.dead->sums.get(rows.dim(), [&](const auto& add) {
            for (size_t row = 0; row < rows.size(); ++row)
                if (run.dead->has(row)) add(rows.key(row));
        });
        for (size_t i = 0; i < gone.size(); ++i) means[i] -= gone[i];
    }
    const auto live = static_cast<double>(snapshot.live());
    for (double& mean : means) mean /= live;
    return means;
}

void weigh_by_idf(const Snapshot& snapshot, std::span<float> query) {
    const std::vector<double> means = key_means(snapshot);
    for (size_t i = 0; i < means.size(); ++i)
        query[i] = static_cast<float>(double(query[i]) * feature_idf(means[i]));
}

}  // namespace rpt::storage
