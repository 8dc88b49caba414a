// What a frozen model makes of the first documents of corpora, kept in a folder.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "apps/rpt-lab/progress_line.h"
#include "core/text/tokenizer.h"
#include "core/weights/package.h"
#include "lab/memory/document_cache.h"
#include "lab/network/rpt_model.h"

namespace rpt::lab {

struct FrozenModel {
    std::shared_ptr<const weights::Package> package;
    std::unique_ptr<model::RptModel> network;  // with the window asked for
    std::shared_ptr<const text::Tokenizer> tokenizer;
};
// Without its memory, so that what is kept of documents outlasts a change of the memory.
FrozenModel load_frozen(const std::string& path, int64_t window);
// The same weights, which both share, with another window.
FrozenModel with_window(const FrozenModel& model, int64_t window);

struct DocumentRequest {
    std::string cache;       // folder, made if need be
    int64_t documents = 4;   // of each corpus
    int64_t tokens = 12288;  // of each document
    memory::CacheOptions keep;
};

// Of each of `corpora` (NAME=FILE) the first documents that have so many tokens. The first of them
// are read by the first model, the last by the last one, equally many each. What the folder holds
// of the same model and request is read, the rest computed and kept there, one file a document: a
// run that was stopped goes on. kArgument for a corpus without such a document.
std::vector<memory::DocumentCache> cached_documents(std::span<const FrozenModel> models,
                                                    const DocumentRequest& request,
                                                    const std::vector<std::string>& corpora,
                                                    ProgressLine& progress);

}  // namespace rpt::lab
