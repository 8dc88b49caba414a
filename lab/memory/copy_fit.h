// Fits the copy distribution and its gate to a frozen model: the loss is the mixture's own, so what
// is found is what helps to predict.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lab/memory/copy_distribution.h"

namespace rpt::memory {

struct FitOptions {
    int64_t steps = 600;
    int64_t space_steps = 200;   // of the gate of spaces
    double foreign = 0.5;        // share of its blocks that see another document
    int64_t blocks = 2;          // of queries a step
    int64_t first_token = 2048;  // queries begin there
    int64_t every = 50;          // steps between looks at the validation documents
    // Rates at first; they fall to a tenth.
    double map_rate = 3e-4;   // of query and key maps
    double gate_rate = 2e-2;  // of temperature, bias and weights
    uint64_t seed = 1;
};

// Nats a token of one corpus read with one window, mean over its documents' tokens.
struct CorpusLoss {
    std::string corpus;
    int64_t window = 0;
    int64_t tokens = 0;
    double without = 0, with = 0;
};

struct FitStep {
    int64_t step = 0;
    double gain = 0;  // nats a token on the validation documents, mean over corpora and windows
    std::vector<CorpusLoss> corpora;
};

// Sums of every token from `first_token` on whose block has far tokens.
std::vector<CorpusLoss> losses(const CopyParameters& p, const std::vector<DocumentCache>& documents,
                               int64_t first_token);

// Leaves in `p` what was best on the validation documents. Equal arguments give equal steps.
FitStep fit_copy(CopyParameters& p, const std::vector<DocumentCache>& train,
                 const std::vector<DocumentCache>& validation, const FitOptions& options,
                 const std::function<void(const FitStep&)>& tell);

// A gate for spaces: some of the training blocks copy from their own document's far past, as if it
// stood in a store, and `foreign` of them from another document, of which little is to be believed.
// The maps stay those of `own`.
CopyParameters fit_space_gate(const CopyParameters& own, const std::vector<DocumentCache>& train,
                              const FitOptions& options);

// What a store with another document of `documents` costs or gives: losses as above, each document
// beside the next one of the list.
std::vector<CorpusLoss> losses_beside_others(const CopyParameters& p,
                                             const std::vector<DocumentCache>& documents,
                                             int64_t first_token);

}  // namespace rpt::memory
