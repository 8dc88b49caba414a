#include <cmath>

#include "lab/proofs/random_draws.h"
#include "lab/proofs/task.h"

namespace rpt::proofs {
namespace {

constexpr int64_t kBegin = kSymbols;

Document make_document(const model::ModelConfig& model, int64_t length, uint64_t seed,
                       uint64_t number) {
    RandomDraws draws(seed, number);
    Document d;
    for (int64_t p = 0; p <= length; ++p)
        d.inputs.push_back(static_cast<int32_t>(draws.zipf(kSymbols)));
    d.inputs[0] = kBegin;
    d.value.assign(static_cast<size_t>(length), 1);
    d.first.assign(static_cast<size_t>(length), 0);
    d.gold.assign(static_cast<size_t>(length / model.chunk), -1);
    return d;
}

// Entropy of RandomDraws::zipf(): rank r has the weight log((r + 2) / (r + 1)) / log(n + 1).
double entropy() {
    double sum = 0;
    for (int64_t r = 0; r < kSymbols; ++r) {
        const double share = std::log(static_cast<double>(r + 2) / static_cast<double>(r + 1)) /
                             std::log(static_cast<double>(kSymbols + 1));
        sum -= share * std::log(share);
    }
    return sum;
}

}  // namespace

Task no_signal() {
    return {"S4", kBegin + 1, entropy(), 300, make_document};
}

}  // namespace rpt::proofs
