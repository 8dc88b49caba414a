// The JSON header of a model package: what stands where (docs/format/package.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/weights/dtype.h"

namespace rpt::weights {

// On disk, never renumber: readers refuse a higher number.
inline constexpr int kPackageVersion = 1;
inline constexpr std::string_view kPackageFormat = "rpt-package-";
inline constexpr uint64_t kMostHeaderBytes = 100 << 20;

struct TensorEntry {
    DType dtype = DType::kF32;
    std::vector<int64_t> shape;
    uint64_t begin = 0, end = 0;  // bytes behind the header
};

struct PackageHeader {
    std::map<std::string, std::string> metadata;
    std::map<std::string, TensorEntry> tensors;
};

// Reads the header of a file of which `data_bytes` bytes follow it. The tensors stand one behind
// the other and cover these bytes exactly. Throws kCorrupt, naming `path`, the tensor and what is
// wrong with it; kVersion for a newer format.
PackageHeader parse_package_header(const std::string& path, std::string_view text,
                                   uint64_t data_bytes);

// Bytes of a tensor; kCorrupt, naming `path` and the tensor, for an impossible shape.
uint64_t tensor_bytes(const std::string& path, const std::string& name, DType dtype,
                      const std::vector<int64_t>& shape);

[[noreturn]] void throw_corrupt_package(const std::string& path, const std::string& why);

}  // namespace rpt::weights
