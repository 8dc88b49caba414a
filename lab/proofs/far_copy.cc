#include <algorithm>
#include <cmath>

#include "lab/proofs/random_draws.h"
#include "lab/proofs/task.h"

namespace rpt::proofs {
namespace {

constexpr int64_t kBegin = kSymbols;

Document make_document(int64_t offset, Continuation continuation, const model::ModelConfig& model,
                       int64_t length, uint64_t seed, uint64_t number) {
    RandomDraws draws(seed, number);
    const int64_t m = model.chunk, l = length / m;
    check_document_size("S2", model, length, offset + 2, length);
    Document d;
    for (int64_t p = 0; p <= length; ++p)
        d.inputs.push_back(static_cast<int32_t>(draws.below(kSymbols)));
    d.inputs[0] = kBegin;
    d.value.assign(static_cast<size_t>(length), 0);
    d.first = d.value;
    d.gold.assign(static_cast<size_t>(l), -1);

    // A source is new text and is repeated once: the chunk that a question repeats is then the only
    // one of its kind. Copies are several chunks long, because nothing tells the last chunk of one
    // from the others: the share of copies that go on bounds what the first token can be known.
    const bool elsewhere = continuation == Continuation::kElsewhere;
    const int64_t run = elsewhere ? 2 : kCopiedChunks;
    const int64_t source_run = elsewhere ? 3 : kCopiedChunks;
    std::vector<uint8_t> used(static_cast<size_t>(l), 0);
    for (int64_t i = 1; i + run <= l; ++i) {
        std::vector<int64_t> sources;
        const int64_t last = model::last_retrievable(model, i);
        for (int64_t j = 1; j + source_run - 2 <= last; ++j) {
            if (std::none_of(used.begin() + j - (offset > 0), used.begin() + j + source_run,
                             [](uint8_t u) { return u != 0; }))
                sources.push_back(j);
        }
        if (sources.empty()) continue;
        const int64_t j = sources[static_cast<size_t>(draws.below(std::ssize(sources)))];
        const int64_t cut = j * m + (offset > 0 ? draws.below(2 * offset + 1) - offset : 0);
        for (int64_t p = 0; p < run * m; ++p)
            d.inputs[static_cast<size_t>(i * m + p)] =
                d.inputs[static_cast<size_t>(cut + p + (elsewhere && p >= m ? m : 0))];
        for (int64_t r = 0; r + 1 < run; ++r) {
            // the last tokens may come from behind the pair of chunks that a neighbour shows
            const int64_t begin = (i + r + 1) * m - 1;
            std::fill_n(d.value.begin() + begin, m - offset, uint8_t{1});
            d.first[static_cast<size_t>(begin)] = 1;
            d.gold[static_cast<size_t>(i + r)] = static_cast<int32_t>(j + r);
        }
        std::fill_n(used.begin() + j, source_run, uint8_t{1});
        std::fill_n(used.begin() + i, run, uint8_t{1});
        i += run - 1;
    }
    return d;
}

}  // namespace

Task far_copy(int64_t offset, Continuation continuation) {
    const std::string name = continuation == Continuation::kElsewhere ? "S2-elsewhere"
                             : offset > 0                             ? "S2-unaligned"
                                                                      : "S2";
    return {name, kBegin + 1, std::log(static_cast<double>(kSymbols)), 1500,
            [offset, continuation](const model::ModelConfig& model, int64_t length, uint64_t seed,
                                   uint64_t number) {
                return make_document(offset, continuation, model, length, seed, number);
            }};
}

}  // namespace rpt::proofs
