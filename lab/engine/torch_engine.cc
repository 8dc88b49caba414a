#include "lab/engine/torch_engine.h"

#include <algorithm>

#include "lab/engine/torch_stream.h"
#include "lab/network/layers.h"
#include "lab/network/retriever.h"

namespace rpt::engine {
namespace {

std::vector<float> to_floats(const at::Tensor& t) {
    const at::Tensor c = t.to(at::kCPU, at::kFloat).contiguous();
    const float* p = c.const_data_ptr<float>();
    return {p, p + c.numel()};
}

}  // namespace

TorchEngine::TorchEngine(const weights::Package& package, at::Device device)
    : device_(device),
      model_(model::load_model(package, device)),
      rope_(model_->config(), device),
      tokenizer_(text::Tokenizer::from_json(package.tokenizer_json(), package.roles_json())),
      fingerprint_(package.fingerprint()) {
    if (tokenizer_->vocab_size() > config().vocab) {
        throw Error(Status::kCorrupt, "rpt",
                    "model package: the tokenizer has " + std::to_string(tokenizer_->vocab_size()) +
                        " tokens, the model " + std::to_string(config().vocab));
    }
    if (device_.is_cpu()) token_step_ = std::make_unique<TokenStep>(config(), weights());
}

uint64_t TorchEngine::parameters() const {
    uint64_t n = 0;
    for (const auto& [name, p] : model_->parameters()) n += static_cast<uint64_t>(p.numel());
    return n;
}

std::vector<EncodedChunk> TorchEngine::encode_segment(std::span<const int32_t> context,
                                                      std::span<const int32_t> tokens) const {
    const model::ModelConfig& c = config();
    const size_t m = static_cast<size_t>(c.chunk);
    if (context.size() % m != 0) {
        throw Error(Status::kArgument, "rpt",
                    "segment context of " + std::to_string(context.size()) +
                        " tokens: not a multiple of " + std::to_string(m));
    }
    if (tokens.empty()) return {};
    return run_torch([&] {
        std::vector<int32_t> ids(context.begin(), context.end());
        ids.insert(ids.end(), tokens.begin(), tokens.end());
        ids.resize((ids.size() + m - 1) / m * m, 0);  // no token sees the padding behind it
        const at::Tensor hidden = model_->lower_hidden(to_device(ids).unsqueeze(0))[0];
        const int64_t begin = static_cast<int64_t>(context.size());
        return encode(hidden.narrow(0, begin, hidden.size(0) - begin).view({-1, c.chunk, c.dim}),
                      static_cast<int64_t>(tokens.size()), 0);
    });
}

std::unique_ptr<Stream> TorchEngine::new_stream() const {
    return run_torch([&] { return std::make_unique<TorchStream>(shared_from_this()); });
}

at::Tensor TorchEngine::to_device(std::span<const int32_t> tokens) const {
    at::Tensor ids = at::empty({static_cast<int64_t>(tokens.size())}, at::kLong);
    int64_t* out = ids.mutable_data_ptr<int64_t>();
    for (size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i] < 0 || tokens[i] >= config().vocab) {
            throw Error(Status::kArgument, "rpt",
                        "token " + std::to_string(tokens[i]) + ": the model knows 0 to " +
                            std::to_string(config().vocab - 1));
        }
        out[i] = tokens[i];
    }
    return ids.to(device_);
}

std::vector<EncodedChunk> TorchEngine::encode(const at::Tensor& hidden, int64_t n_tokens,
                                              uint64_t first_index) const {
    const model::ModelConfig& c = config();
    const int64_t chunks = hidden.size(0), m = c.chunk;
    const at::Tensor present =
        at::arange(chunks * m, hidden.options().dtype(at::kLong)).lt(n_tokens).view({chunks, m});
    std::vector<EncodedChunk> out(static_cast<size_t>((n_tokens + m - 1) / m));
    for (size_t i = 0; i < out.size(); ++i) {
        out[i].index = first_index + i;
        out[i].n_tokens =
            static_cast<uint32_t>(std::min(m, n_tokens - static_cast<int64_t>(i) * m));
    }
    if (!c.has_memory()) return out;
    const at::Tensor states = model::encode_chunks(c, weights(), rope_, hidden, present);
    at::Tensor keys, queries;
    if (c.has_chunk_keys()) {
        keys = model::chunk_key(c, *weights().retriever, states, present).to(at::kCPU);
        queries = model::chunk_query(c, *weights().retriever, states, present).to(at::kCPU);
    }
    const at::Tensor on_host = states.to(at::kCPU);
    for (size_t i = 0; i < out.size(); ++i) {
        const int64_t row = static_cast<int64_t>(i);
        out[i].states = to_floats(on_host[row].narrow(0, 0, out[i].n_tokens));
        if (!keys.defined()) continue;
        out[i].key = to_floats(keys[row]);
        out[i].query = to_floats(queries[row]);
    }
    return out;
}

}  // namespace rpt::engine
