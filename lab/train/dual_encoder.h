// The retriever of dense passage retrieval (spec 5.7): two encoders, one for the chunk that asks,
// one for the chunks that answer, trained apart from any reader.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "core/model/config.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"

namespace rpt::train {

struct DualEncoderShape {
    int64_t vocab = 8192;
    int64_t chunk = 64;  // m, tokens
    int64_t dim = 128;
    int64_t layers = 2;
    int64_t heads = 2;  // divides dim
    bool operator==(const DualEncoderShape&) const = default;
};

// Const calls may run on several threads at once; an optimiser step may not run beside them.
class DualEncoder {
  public:
    // Both encoders start with the same weights, as both of the original start from one pretrained
    // encoder: two chunks that share words are near each other before any step. Throws kArgument
    // for a bad shape.
    DualEncoder(const DualEncoderShape& shape, uint64_t seed, at::Device device = at::kCPU);

    const DualEncoderShape& shape() const { return shape_; }
    const std::vector<std::pair<std::string, at::Tensor>>& parameters() const {
        return parameters_;
    }
    // int64 [n, m] -> [n, d]: mean over tokens of the last layer, normed.
    at::Tensor encode_queries(const at::Tensor& tokens) const { return encode(query_, tokens); }
    at::Tensor encode_passages(const at::Tensor& tokens) const { return encode(passage_, tokens); }
    // [a, d], [b, d] -> [a, b]: products over sqrt(d).
    at::Tensor score(const at::Tensor& queries, const at::Tensor& passages) const;

    // fp32 [l, l] on the CPU: every chunk of `inputs` (l m tokens) as a query for every other. No
    // gradient.
    at::Tensor span_scores(std::span<const int32_t> inputs) const;

    // Replaces `path` at once.
    void save(const std::string& path, const Digest& tokenizer) const;
    struct Loaded;
    // Throws what Package::open() throws, kCorrupt for a file that is no dual encoder.
    static Loaded load(const std::string& path, at::Device device);

  private:
    struct Layer {
        model::SelfAttentionWeights attention;
        model::FeedForwardWeights ffn;
    };
    struct Encoder {
        at::Tensor embedding;  // [V, d]
        std::vector<Layer> layers;
        at::Tensor norm;  // [d]
    };
    at::Tensor encode(const Encoder& encoder, const at::Tensor& tokens) const;
    std::vector<std::pair<std::string, at::Tensor*>> slots(const std::string& prefix,
                                                           Encoder& encoder) const;

    DualEncoderShape shape_;
    model::ModelConfig layer_config_;  // of attention and feed-forward layers
    std::unique_ptr<model::RopeTable> rope_;
    Encoder query_, passage_;
    std::vector<std::pair<std::string, at::Tensor>> parameters_;
    at::Device device_;
};

struct DualEncoder::Loaded {
    std::unique_ptr<DualEncoder> encoder;
    Digest tokenizer{};
};

}  // namespace rpt::train
