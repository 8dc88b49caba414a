// A model package: one .safetensors file whose metadata holds config and tokenizer.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/cancel.h"
#include "base/sha256.h"
#include "core/weights/tensor_source.h"

namespace rpt::weights {

// Immutable; shared by threads. Its file may be replaced or cut short meanwhile: what was read
// stays.
class Package : public TensorSource {
  public:
    // Throws kNotFound, kIo, kCorrupt (truncated, flipped, overlapping, wrong sizes: names which),
    // kVersion. The fingerprint is compared with the one in the metadata; with `verify` the tensor
    // bytes with their SHA-256 too, of which `control` is told the progress in bytes.
    static std::shared_ptr<const Package> open(const std::string& path, bool verify = true,
                                               const CallControl& control = {});

    virtual const std::map<std::string, std::string>& metadata() const = 0;
    // SHA-256 over config, tokenizer and tensor bytes: what a store is bound to.
    virtual const Digest& fingerprint() const = 0;
    // metadata["config"], metadata["tokenizer"]; kCorrupt if absent.
    const std::string& config_json() const;
    const std::string& tokenizer_json() const;
    // metadata["roles"] (text::read_roles()); empty if absent.
    std::string roles_json() const;
};

}  // namespace rpt::weights
