// Named tensors in the types in which a file stores them, whatever the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/weights/dtype.h"

namespace rpt::weights {

struct TensorInfo {
    DType dtype = DType::kF32;
    std::vector<int64_t> shape;
    uint64_t bytes = 0;
};

// Immutable; shared by threads.
class TensorSource {
  public:
    virtual ~TensorSource() = default;
    virtual const std::map<std::string, TensorInfo>& tensors() const = 0;
    // Copies the bytes of a tensor, little-endian and row-major, to `out`, which is as long as
    // they are. kIo, kCorrupt if the file has changed since it was opened.
    virtual void read(const std::string& name, std::span<std::byte> out) const = 0;
};

}  // namespace rpt::weights
