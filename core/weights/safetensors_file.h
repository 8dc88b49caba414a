// The tensors of a safetensors file.
#pragma once

#include <string>

#include "base/input_file.h"
#include "core/weights/safetensors_header.h"
#include "core/weights/tensor_source.h"

namespace rpt::weights {

// Immutable; shared by threads. Its file may be replaced or cut short meanwhile: what was read
// stays.
class SafetensorsFile final : public TensorSource {
  public:
    // kNotFound, kIo, kCorrupt, kVersion: parse_safetensors_header().
    SafetensorsFile(const std::string& path, const FileKind& kind);

    const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }
    void read_at(const std::string& name, uint64_t offset, std::span<std::byte> out) const override;

    const SafetensorsHeader& header() const { return header_; }
    // All bytes behind the header.
    uint64_t data_bytes() const { return file_.size() - data_begin_; }
    void read_data(uint64_t offset, std::span<std::byte> out) const;

  private:
    const InputFile file_;
    uint64_t data_begin_ = 0;
    SafetensorsHeader header_;
    std::map<std::string, TensorInfo> tensors_;
};

}  // namespace rpt::weights
