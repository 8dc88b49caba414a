// A trained model becomes a package that readers open (docs/format/model.md).
#pragma once

#include <cstdint>
#include <string>

namespace rpt::train {

struct ExportOptions {
    std::string source;           // a checkpoint, or a package to write again
    std::string tokenizer_json;   // as the library writes it; empty: the package's own
    std::string name;             // kept in the metadata; empty: as before
    bool half = false;            // fp16 tensors
    int64_t read_neighbours = 0;  // chunks that readers retrieve for each chunk; 0: as trained
};

struct ExportFacts {
    int64_t step = 0;
    int64_t parameters = 0;
};

// Throws kModelMismatch if the tokenizer is not the one of the training shards. A package keeps its
// other metadata, and as long as its tensors keep their type its fingerprint.
ExportFacts export_model(const ExportOptions& options, const std::string& path);

}  // namespace rpt::train
