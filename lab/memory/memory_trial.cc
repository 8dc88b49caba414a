#include "lab/memory/memory_trial.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <random>

#include "base/error.h"

namespace rpt::memory {
namespace {

// Every place keeps its state and gets the follower of another.
FarTokens mixed_up(const FarTokens& far, uint64_t seed) {
    const int64_t n = far.next.size(0);
    std::vector<int64_t> order(static_cast<size_t>(n));
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    std::mt19937_64 random(seed);
    std::shuffle(order.begin(), order.end(), random);
    const at::Tensor index = at::empty({n}, at::kLong);
    std::copy(order.begin(), order.end(), index.mutable_data_ptr<int64_t>());
    return {far.states, far.next.index_select(0, index)};
}

}  // namespace

std::vector<DocumentTrial> try_memory(const CopyParameters& own, const CopyParameters& spaces,
                                      const std::vector<DocumentCache>& documents,
                                      const std::vector<DocumentCache>& wide, int64_t stride,
                                      int64_t first_token) {
    RPT_CHECK(wide.empty() || wide.size() == documents.size());
    const at::NoGradGuard guard;
    std::vector<DocumentTrial> out;
    for (size_t d = 0; d < documents.size(); ++d) {
        const DocumentCache& document = documents[d];
        const DocumentCache& neighbour = documents[(d + 1) % documents.size()];
        const int64_t n = neighbour.size() - 1;
        const FarTokens other{neighbour.states.narrow(0, 0, n), neighbour.tokens.narrow(0, 1, n)};
        DocumentTrial sums;
        sums.corpus = document.corpus;
        sums.id = document.id;
        const int64_t first = std::max<int64_t>(2, (first_token + stride - 1) / stride);
        for (int64_t block = first; block < blocks_of(document, stride); ++block) {
            const CopyQueries queries = queries_of_block(document, block, stride);
            const FarTokens far = far_of_block(document, block, stride);
            sums.tokens += queries.nll.size(0);
            sums.without += queries.nll.sum().item<double>();
            sums.own += mixture_nll(own, queries, far).sum().item<double>();
            sums.random += mixture_nll(own, queries, mixed_up(far, static_cast<uint64_t>(block)))
                               .sum()
                               .item<double>();
            if (documents.size() > 1)
                sums.other += mixture_nll(spaces, queries, other).sum().item<double>();
            if (!wide.empty())
                sums.wide +=
                    wide[d].nll.narrow(0, block * stride, queries.nll.size(0)).sum().item<double>();
        }
        out.push_back(std::move(sums));
    }
    return out;
}

}  // namespace rpt::memory
