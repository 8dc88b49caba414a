// Writes model packages (docs/format/package.md).
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/weights/package.h"
#include "core/weights/package_layout.h"

namespace rpt::weights {

struct TensorData {
    DType dtype;
    std::vector<int64_t> shape;
    std::span<const std::byte> data;
};

// Writes to a temporary file beside `path`, syncs, renames: there is never half a package. Adds
// "format", "sha256" (of the tensor bytes) and "fingerprint" to the metadata. Wide types first,
// then by name, without holes: every tensor is aligned to its element.
void write_package(const std::string& path, const std::map<std::string, TensorData>& tensors,
                   Metadata metadata);

// The same of a model that is open, whatever its file: a megabyte is in memory at a time. The
// fingerprint stays. `control` is told the progress in bytes. kCorrupt if the source changed
// meanwhile.
void write_package(const std::string& path, const Package& package, const CallControl& control);

}  // namespace rpt::weights
