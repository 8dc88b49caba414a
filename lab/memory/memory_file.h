// NAME.memory.safetensors: what a frozen model needs to have a memory (docs/format/memory.md).
#pragma once

#include <map>
#include <string>

#include "base/sha256.h"
#include "core/model/config.h"
#include "core/weights/tensor_source.h"
#include "lab/memory/copy_distribution.h"

namespace rpt::memory {

struct MemoryFacts {
    Digest weights{};  // fingerprint of the model without its memory
    int64_t pointer_layer = 0;
    std::string made_from;  // for people: corpora, tokens, steps
};

// Maps and gates, as read_memory() takes them, with more tensors and metadata of the caller's.
void write_pointer(const CopyParameters& own, const CopyParameters& spaces,
                   std::map<std::string, at::Tensor> tensors,
                   std::map<std::string, std::string> metadata, const std::string& path);

// `state_scale` [d]: deviations of the channels after the lower half.
void write_memory(const CopyParameters& own, const CopyParameters& spaces,
                  const at::Tensor& state_scale, const model::ModelConfig& config,
                  const MemoryFacts& facts, const std::string& path);

// What a model was opened with: the gate of the own past, or that of spaces. kCorrupt for tensors
// that are missing or of another shape. To go on fitting: make_trainable().
CopyParameters read_memory(const weights::TensorSource& source, bool for_spaces);

}  // namespace rpt::memory
