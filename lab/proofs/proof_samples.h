// Synthetic documents as the trainer's samples.
#pragma once

#include <cstdint>

#include "lab/proofs/task.h"
#include "lab/train/batch.h"

namespace rpt::proofs {

// The document's draws depend on (seed, number) alone, the sample's on the config's seed, step and
// slot. Where the config asks a language model for target scores, the known gold chunk gets +1 and
// every other candidate -0.1 instead.
train::Sample make_proof_sample(const Task& task, const train::TrainConfig& config,
                                const Document& document, int64_t step, int64_t slot);

// The batch of training step `step`.
train::Batch make_proof_batch(const Task& task, const train::TrainConfig& config, uint64_t seed,
                              int64_t step);

}  // namespace rpt::proofs
