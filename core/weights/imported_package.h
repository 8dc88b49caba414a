// A model of another program's files, read as if it were a package of ours.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/weights/package.h"
#include "core/weights/package_layout.h"

namespace rpt::weights {

// Where a tensor stands in the files of a model.
struct TensorOrigin {
    std::shared_ptr<const TensorSource> source;
    std::string name;
};

// Its fingerprint and its "sha256" are those of the package that write_package() makes of it, so
// stores know both as one model. Immutable; shared by threads.
class ImportedPackage final : public Package {
  public:
    // `metadata` has config, tokenizer and roles. Reads all tensors once, for the fingerprint;
    // `control` is told the progress in bytes.
    ImportedPackage(std::map<std::string, TensorOrigin> origins, Metadata metadata,
                    const CallControl& control);

    const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }
    void read_at(const std::string& name, uint64_t offset, std::span<std::byte> out) const override;
    const Metadata& metadata() const override { return metadata_; }
    const Digest& fingerprint() const override { return fingerprint_; }

  private:
    const std::map<std::string, TensorOrigin> origins_;
    std::map<std::string, TensorInfo> tensors_;
    Metadata metadata_;
    Digest fingerprint_{};
};

}  // namespace rpt::weights
