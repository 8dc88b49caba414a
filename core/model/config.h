// One description for every family: RPT, Transformer-XL (no CCA layers), RETRO + BM25 (its
// switches), retrieval trained by the language model's loss (GCA), the baselines with a memory of
// another kind, and Llama-like trunks. A baseline differs from RPT in this struct and nowhere else.
// Plain values, no tensors.
#pragma once

#include <cstdint>
#include <string>

#include "core/model/memory_config.h"
#include "core/model/research_config.h"
#include "core/model/trunk_config.h"

namespace rpt::model {

struct ModelConfig : TrunkConfig, MemoryConfig, ResearchConfig {
    // Numbers of a chunk's key.
    int64_t key_width() const {
        if (retrieval == RetrievalKind::kPointer) return pointer_width;
        return key_features > 0 ? key_features : dim;
    }
    // The lower half has what pointers are made of.
    bool points_low() const { return has_pointers() && pointer_layer <= n_lower; }
    // Throws kArgument naming the field that does not fit.
    void validate() const;

    // One flat JSON object: packages are older than the three parts.
    std::string to_json() const;
    // Unknown keys are refused by name; missing keys keep their defaults. Lists of layers may count
    // from the top (-1: the last layer) or be "upper": all upper layers but the first, or the only
    // one. Validates.
    static ModelConfig from_json(const std::string& text);
    bool operator==(const ModelConfig&) const = default;

  private:
    void validate_counts() const;  // of layers
    void validate_rope() const;
    void validate_pointers() const;
    void validate_reading() const;
};

// Largest chunk number that chunk `i` may retrieve under `config.pool`, negative if none (golden
// A.1). The one rule that serves training, candidates, the reader, metrics and the oracle.
int64_t last_retrievable(const ModelConfig& config, int64_t i);

}  // namespace rpt::model
