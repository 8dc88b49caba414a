#include <algorithm>
#include <cmath>

#include "lab/proofs/random_draws.h"
#include "lab/proofs/task.h"

namespace rpt::proofs {
namespace {

// Values, then filler words, then keys, then the beginning of text.
constexpr int64_t kFillers = 16;  // so common that a key is the rare word of its chunk
constexpr int64_t kKeys = 256;
constexpr int64_t kFirstKey = kSymbols + kFillers;
constexpr int64_t kBegin = kFirstKey + kKeys;
constexpr int64_t kGroup = 8;  // values a key

Document make_document(const model::ModelConfig& model, int64_t length, uint64_t seed,
                       uint64_t number) {
    RandomDraws draws(seed, number);
    const int64_t m = model.chunk, l = length / m;
    check_document_size("S1", model, length, kGroup + 2, kKeys);
    Document d;
    for (int64_t p = 0; p <= length; ++p)
        d.inputs.push_back(static_cast<int32_t>(kSymbols + draws.zipf(kFillers)));
    d.inputs[0] = kBegin;
    d.value.assign(static_cast<size_t>(length), 0);
    d.first = d.value;
    d.gold.assign(static_cast<size_t>(l), -1);

    const std::vector<int64_t> keys = draws.different(l, kKeys);
    struct Definition {
        int64_t chunk, key;
        std::vector<int32_t> values;
    };
    std::vector<Definition> open;  // not asked for yet
    size_t next_key = 0;
    for (int64_t i = 1; i < l; ++i) {
        const int64_t last = model::last_retrievable(model, i);
        std::vector<size_t> ready;
        for (size_t k = 0; k < open.size(); ++k) {
            if (open[k].chunk <= last) ready.push_back(k);
        }
        const bool asks = i + 1 < l && !ready.empty() && draws.uniform() < 0.6;
        if (!asks) {
            Definition definition{i, keys[next_key++], {}};
            const int64_t at = i * m + draws.below(m - kGroup);
            d.inputs[static_cast<size_t>(at)] = static_cast<int32_t>(kFirstKey + definition.key);
            for (int64_t v = 0; v < kGroup; ++v) {
                definition.values.push_back(static_cast<int32_t>(draws.below(kSymbols)));
                d.inputs[static_cast<size_t>(at + 1 + v)] = definition.values.back();
            }
            open.push_back(definition);
            continue;
        }
        const size_t chosen = ready[static_cast<size_t>(draws.below(std::ssize(ready)))];
        const Definition definition = open[chosen];
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(chosen));
        const size_t at = static_cast<size_t>((i + 1) * m - 1);
        // a common word's idf is floored, not nothing: over fifteen of them one key is not heard
        for (int64_t back = 0; back < m; back += 2)
            d.inputs[at - static_cast<size_t>(back)] =
                static_cast<int32_t>(kFirstKey + definition.key);
        for (size_t v = 0; v < kGroup; ++v) {
            d.inputs[at + 1 + v] = definition.values[v];
            d.value[at + v] = 1;
        }
        d.first[at] = 1;
        d.gold[static_cast<size_t>(i)] = static_cast<int32_t>(definition.chunk);
        ++i;  // the answer
    }
    return d;
}

}  // namespace

Task key_lookup() {
    return {"S1", kBegin + 1, std::log(static_cast<double>(kSymbols)), 800, make_document};
}

}  // namespace rpt::proofs
