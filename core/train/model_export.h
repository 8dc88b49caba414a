// A checkpoint becomes a model package that readers open (docs/format/model.md).
#pragma once

#include <cstdint>
#include <string>

namespace rpt::train {

struct ExportOptions {
    std::string checkpoint;
    std::string tokenizer_json;  // as the library writes it
    std::string name;            // kept in the metadata
    bool half = false;           // fp16 tensors
};

struct ExportFacts {
    int64_t step = 0;
    int64_t parameters = 0;
};

// Throws kModelMismatch if the tokenizer is not the one of the training shards.
ExportFacts export_model(const ExportOptions& options, const std::string& path);

}  // namespace rpt::train
