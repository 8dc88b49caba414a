// What must hold of a model of any row whatever its weights (spec 8.5: S5, S6, S7).
#pragma once

#include <string>
#include <vector>

#include "core/model/config.h"
#include "lab/proofs/verdict.h"

namespace rpt::proofs {

// S5. No logit knows a later token, the choice of own neighbours included; and, where there is a
// memory, a token of a retrieved pair of chunks does reach the tokens that read it, and no earlier
// one.
std::vector<Check> check_causality(const std::string& name, const model::ModelConfig& config,
                                   uint64_t seed);

// S6. Whole documents, blocks of S tokens and single tokens give the same log-probabilities, each
// with the neighbours that its own memory finds. A package is written to `folder` and removed.
// `config` needs a vocabulary that a byte tokenizer fits into.
std::vector<Check> check_equivalence(const std::string& name, const model::ModelConfig& config,
                                     uint64_t seed, const std::string& folder);

// S7. Which parameters the language-model loss and the ranking loss reach, and the ranking loss
// against finite differences at margin 4.
std::vector<Check> check_gradients(const std::string& name, const model::ModelConfig& config,
                                   uint64_t seed);

}  // namespace rpt::proofs
