// Where the tensors of a package stand, and what its fingerprint is made of
// (docs/format/package.md).
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/sha256.h"
#include "core/weights/safetensors_header.h"
#include "core/weights/tensor_source.h"

namespace rpt::weights {

using Metadata = std::map<std::string, std::string>;

// As a package holds these tensors: wide types first, then by name, without holes, so that every
// tensor is aligned to its element.
std::map<std::string, TensorEntry> lay_out(const std::map<std::string, TensorInfo>& tensors);
// Names in the order of their places.
std::vector<std::string> names_by_place(const std::map<std::string, TensorEntry>& tensors);

// Reads all tensors in the order of their places, a portion at a time. `control` is told the
// progress in bytes.
void read_in_order(const TensorSource& source, const std::map<std::string, TensorEntry>& places,
                   const CallControl& control,
                   const std::function<void(std::span<const std::byte>)>& take);
// SHA-256 of these bytes, in hexadecimal digits.
std::string hash_tensors(const TensorSource& source,
                         const std::map<std::string, TensorEntry>& places,
                         const CallControl& control);

// What a store is bound to: configuration, tokenizer, roles, names and places of tensors, and
// `data_hex`, the hash of their bytes.
Digest fingerprint_of(const Metadata& metadata, const std::map<std::string, TensorEntry>& places,
                      const std::string& data_hex);

}  // namespace rpt::weights
