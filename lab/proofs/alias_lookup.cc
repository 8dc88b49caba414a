#include <algorithm>
#include <cmath>

#include "lab/proofs/random_draws.h"
#include "lab/proofs/task.h"

namespace rpt::proofs {
namespace {

// Tokens: values, the answer's marker, the beginning of text, the a_i, the b_i, filler words.
constexpr int64_t kAnswer = kSymbols;
constexpr int64_t kBegin = kSymbols + 1;
constexpr int64_t kFirstA = kSymbols + 2;
constexpr int64_t kGroup = 8;  // values a definition

struct Definition {
    int64_t chunk, pair;
    std::vector<int32_t> values;
};

Document make_document(int64_t n_pairs, int64_t n_fillers, const model::ModelConfig& model,
                       int64_t length, uint64_t seed, uint64_t number) {
    RandomDraws draws(seed, number);
    const int64_t m = model.chunk, l = length / m;
    check_document_size("S3", model, length, kGroup + 3, n_pairs);
    const int64_t first_filler = kFirstA + 2 * n_pairs;
    Document d;
    for (int64_t p = 0; p <= length; ++p)
        d.inputs.push_back(static_cast<int32_t>(first_filler + draws.zipf(n_fillers)));
    d.inputs[0] = kBegin;
    d.value.assign(static_cast<size_t>(length), 0);
    d.first = d.value;
    d.gold.assign(static_cast<size_t>(l), -1);
    const auto at = [&](int64_t p) -> int32_t& { return d.inputs[static_cast<size_t>(p)]; };

    const std::vector<int64_t> pairs = draws.different(l, n_pairs);
    std::vector<Definition> all;
    std::vector<size_t> unasked;
    for (int64_t i = 1; i < l; ++i) {
        const int64_t last = model::last_retrievable(model, i);
        std::vector<size_t> ready;
        for (const size_t k : unasked) {
            if (all[k].chunk <= last) ready.push_back(k);
        }
        // a decoy beside the wanted one
        const bool asks = i + 1 < l && !ready.empty() && all.size() > 1 && all[1].chunk <= last &&
                          draws.uniform() < 0.6;
        if (!asks) {
            // filler, b, values, filler: b stands anywhere that leaves room
            Definition definition{i, pairs[all.size()], {}};
            const int64_t place = i * m + draws.below(m - kGroup);
            at(place) = static_cast<int32_t>(kFirstA + n_pairs + definition.pair);
            for (int64_t v = 1; v <= kGroup; ++v) {
                at(place + v) = static_cast<int32_t>(draws.below(kSymbols));
                definition.values.push_back(at(place + v));
            }
            unasked.push_back(all.size());
            all.push_back(definition);
            continue;
        }
        const size_t wanted = ready[static_cast<size_t>(draws.below(std::ssize(ready)))];
        std::erase(unasked, wanted);
        size_t decoy = wanted;
        while (decoy == wanted || all[decoy].chunk > last)
            decoy = static_cast<size_t>(draws.below(std::ssize(all)));
        // the decoy's filler words, from the question's first token on; then a_i in a free place
        int64_t p = i * m;
        for (int64_t q = all[decoy].chunk * m; q < (all[decoy].chunk + 1) * m; ++q) {
            if (at(q) >= first_filler) at(p++) = at(q);
        }
        at(p + draws.below((i + 1) * m - p)) = static_cast<int32_t>(kFirstA + all[wanted].pair);
        const int64_t answer = (i + 1) * m;
        at(answer) = static_cast<int32_t>(kAnswer);
        for (int64_t v = 0; v < kGroup; ++v) {
            at(answer + 1 + v) = all[wanted].values[static_cast<size_t>(v)];
            d.value[static_cast<size_t>(answer + v)] = 1;
        }
        d.first[static_cast<size_t>(answer)] = 1;
        d.gold[static_cast<size_t>(i)] = static_cast<int32_t>(all[wanted].chunk);
        ++i;
    }
    return d;
}

}  // namespace

Task alias_lookup(int64_t pairs, int64_t fillers) {
    return {"S3", kFirstA + 2 * pairs + fillers, std::log(static_cast<double>(kSymbols)), 1500,
            [pairs, fillers](const model::ModelConfig& model, int64_t length, uint64_t seed,
                             uint64_t number) {
                return make_document(pairs, fillers, model, length, seed, number);
            }};
}

}  // namespace rpt::proofs
