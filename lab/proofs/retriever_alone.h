// S10: can W_Q and W_K alone learn to rank, over a lower decoder that stays random?
#pragma once

#include "lab/proofs/row_run.h"

namespace rpt::proofs {

struct RetrieverRun {
    double first_recall = 0;  // gold chunk among the first two, before training
    double last_recall = 0;
    double chance = 0;  // mean of 2 / pool over the questions
    int64_t steps = 0;
};

// Trains the retriever's own weights on the ranking loss of `task` and nothing else.
RetrieverRun train_retriever_alone(const Task& task, const std::string& row, int64_t steps,
                                   int64_t measured_documents, const RunOptions& options);

}  // namespace rpt::proofs
