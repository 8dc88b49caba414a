// A GGUF file, versions 2 and 3, little-endian.
#pragma once

#include <map>
#include <string>

#include "core/weights/gguf_metadata.h"
#include "core/weights/tensor_source.h"

namespace rpt::weights {

// Whether the file begins as GGUF files do. kNotFound, kIo.
bool is_gguf(const std::string& path);

// Tensors under the file's own names, with sizes from the outermost to the innermost as everywhere
// here (GGUF writes them the other way round). Immutable; shared by threads. Its file may be
// replaced or cut short meanwhile: reading throws then.
class GgufFile final : public TensorSource {
  public:
    // kNotFound, kIo; kCorrupt for what cannot be; kVersion for a newer version; kUnsupported,
    // naming what is supported, for version 1, big-endian files, parts of a split file and tensors
    // of other types.
    explicit GgufFile(const std::string& path);

    const GgufMetadata& metadata() const { return metadata_; }
    const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }
    void read_at(const std::string& name, uint64_t offset, std::span<std::byte> out) const override;

  private:
    void read_version(GgufReader& reader) const;
    void read_tensor(GgufReader& reader);
    void check_places(uint64_t data_begin, uint64_t alignment);

    const std::string path_;
    const InputFile file_;
    GgufMetadata metadata_;
    std::map<std::string, TensorInfo> tensors_;
    std::map<std::string, uint64_t> begins_;  // bytes of the file; while reading: of the tensors
};

}  // namespace rpt::weights
