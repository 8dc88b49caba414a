// Makes a package of a model that others trained.
#pragma once

#include <string>

#include "base/cancel.h"
#include "base/sha256.h"

namespace rpt::weights {

struct ImportResult {
    Digest fingerprint{};
    int64_t layers = 0;
    uint64_t parameters = 0;
    uint64_t file_bytes = 0;
};

// Writes what open_model_alone() reads from `path` to `out`, whole or not at all; a file that is
// there is replaced. Tensors stay as they are stored, and so does the fingerprint. `control` is
// told the progress in bytes: the source is read twice. Throws what open_model_alone() and
// write_package() throw.
ImportResult import_model(const std::string& path, const std::string& out,
                          const CallControl& control);

}  // namespace rpt::weights
