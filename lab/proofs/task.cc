#include "lab/proofs/task.h"

#include "base/error.h"

namespace rpt::proofs {

void check_document_size(const char* task, const model::ModelConfig& model, int64_t length,
                         int64_t least_chunk, int64_t most_chunks) {
    if (model.chunk < least_chunk || length / model.chunk > most_chunks) {
        throw Error(Status::kArgument, "rpt",
                    std::string("documents of ") + task + " need chunks of at least " +
                        std::to_string(least_chunk) + " tokens and at most " +
                        std::to_string(most_chunks) + " of them; set model.chunk or train.length");
    }
}

Task task_named(const std::string& name) {
    for (const Task& task :
         {key_lookup(), far_copy(0, Continuation::kNext), far_copy(5, Continuation::kNext),
          far_copy(0, Continuation::kElsewhere), alias_lookup(), no_signal()}) {
        if (task.name == name) return task;
    }
    throw Error(Status::kArgument, "rpt",
                "no synthetic task is called \"" + name.substr(0, 64) +
                    "\"; there are S1, S2, S2-unaligned, S2-elsewhere, S3 and S4");
}

}  // namespace rpt::proofs
