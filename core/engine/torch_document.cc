#include "core/engine/torch_document.h"

#include "core/model/layers.h"

namespace rpt::engine {

TorchDocument::TorchDocument(std::shared_ptr<const TorchEngine> engine)
    : engine_(std::move(engine)) {
    for (int64_t i = 0; i < engine_->config().n_lower; ++i) {
        caches_.push_back(AttentionCache::make(engine_->config(), engine_->device()));
    }
}

std::vector<EncodedChunk> TorchDocument::encode_block(std::span<const int32_t> tokens) {
    const model::ModelConfig& c = engine_->config();
    if (tokens.size() > static_cast<size_t>(c.stride)) {
        throw Error(Status::kArgument, "rpt",
                    "document block of " + std::to_string(tokens.size()) + " tokens: at most " +
                        std::to_string(c.stride));
    }
    if (tokens.empty()) return {};
    return run_torch([&] {
        std::vector<int32_t> padded(tokens.begin(), tokens.end());
        padded.resize(static_cast<size_t>(c.stride), 0);
        at::Tensor h = model::embed(c, engine_->weights(), engine_->to_device(padded));
        const BlockPlace place{0, position_ > 0};
        for (size_t i = 0; i < caches_.size(); ++i) {
            const model::LayerWeights& layer = engine_->weights().layers[i];
            h = h + cached_attention(c, layer.attention, engine_->rope(), h, caches_[i], place);
            h = h + model::feed_forward(c, layer.ffn, h);
        }
        std::vector<EncodedChunk> out = engine_->encode(
            h.view({c.chunks_per_block(), c.chunk, c.dim}), static_cast<int64_t>(tokens.size()),
            position_ / static_cast<uint64_t>(c.chunk));
        if (tokens.size() == static_cast<size_t>(c.stride)) {
            for (AttentionCache& cache : caches_) cache.shift(c, engine_->rope());
            position_ += tokens.size();
        }
        return out;
    });
}

}  // namespace rpt::engine
