// The JSON header of a safetensors file: what stands where (docs/format/package.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/weights/dtype.h"

namespace rpt::weights {

// Files of ours name themselves in their metadata: "rpt-package-2". On disk, never renumber:
// readers refuse a higher number.
struct FileKind {
    std::string_view format;  // before the number; empty: any safetensors file
    int newest = 0;
    std::string_view name;  // as error lines call it
};
inline constexpr FileKind kPackageFile = {"rpt-package-", 2, "model package"};
inline constexpr FileKind kAnyFile = {};

// The version of a package from which on `quantised` in its metadata tells of blocks.
inline constexpr int kQuantisedSince = 2;
inline constexpr uint64_t kMostHeaderBytes = 100 << 20;

struct TensorEntry {
    DType dtype = DType::kF32;
    std::vector<int64_t> shape;
    uint64_t begin = 0, end = 0;  // bytes behind the header
};

struct SafetensorsHeader {
    std::map<std::string, std::string> metadata;
    std::map<std::string, TensorEntry> tensors;
};

// Reads the header of a file of which `data_bytes` bytes follow it. The tensors stand one behind
// the other and cover these bytes exactly. Throws kCorrupt, naming `path`, the tensor and what is
// wrong with it; kVersion for a newer format.
SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view text,
                                           uint64_t data_bytes, const FileKind& kind);

// Bytes of a tensor; kCorrupt, naming `path` and the tensor, for an impossible shape.
uint64_t tensor_bytes(const std::string& path, const std::string& name, DType dtype,
                      const std::vector<int64_t>& shape);
// Names come back in error lines and in the lines of the fingerprint, so they are plain text of at
// most 255 bytes; kCorrupt otherwise.
void check_tensor_name(const std::string& path, std::string_view name);

[[noreturn]] void throw_corrupt_model(const std::string& path, const std::string& why);

}  // namespace rpt::weights
