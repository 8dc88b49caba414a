// Lower half over documents, block by block.
#pragma once

#include <memory>
#include <vector>

#include "core/engine/attention_cache.h"
#include "core/engine/torch_engine.h"

namespace rpt::engine {

// Every block runs at exactly S tokens, padded where fewer are known: the same kernels see the same
// shapes, so what a complete chunk gives does not depend on when it was asked for, to the bit (at
// an equal number of threads).
class TorchDocument final : public DocumentEncoder {
  public:
    explicit TorchDocument(std::shared_ptr<const TorchEngine> engine);

    std::vector<EncodedChunk> encode_block(std::span<const int32_t> tokens) override;
    uint64_t position() const override { return position_; }

  private:
    std::shared_ptr<const TorchEngine> engine_;
    std::vector<AttentionCache> caches_;  // of the lower layers
    uint64_t position_ = 0;
};

}  // namespace rpt::engine
