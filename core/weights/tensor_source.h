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
    // Copies bytes of a tensor, little-endian and row-major, to `out`: all from byte `offset` of
    // the tensor on, which must be there. kIo, kCorrupt if the file has changed since it was
    // opened.
    virtual void read_at(const std::string& name, uint64_t offset,
                         std::span<std::byte> out) const = 0;
    // All bytes of a tensor; `out` is as long as they are.
    void read(const std::string& name, std::span<std::byte> out) const { read_at(name, 0, out); }
};

}  // namespace rpt::weights
