// S1 to S4, S8, S9 and S11: rows trained on synthetic documents, and what must come out.
#pragma once

#include "lab/proofs/experiment.h"

namespace rpt::proofs {

Verdict prove_key_lookup(const ProofOptions& options);       // S1
Verdict prove_far_copy(const ProofOptions& options);         // S2
Verdict prove_alias_lookup(const ProofOptions& options);     // S3
Verdict prove_no_signal(const ProofOptions& options);        // S4
Verdict prove_neighbour_swap(const ProofOptions& options);   // S8
Verdict prove_neighbour_count(const ProofOptions& options);  // S9
Verdict prove_other_memories(const ProofOptions& options);   // S11

}  // namespace rpt::proofs
