#include "lab/engine/torch_engine.h"

#include <algorithm>

#include "lab/engine/torch_stream.h"
#include "lab/network/float_products.h"
#include "lab/network/layers.h"
#include "lab/network/retriever.h"

namespace rpt::engine {
namespace {

at::Device pick_device(const EngineOptions& options) {
    const bool wants_cuda = options.device == Device::kCuda;
    const bool has_cuda = options.device != Device::kCpu && at::hasCUDA();
    if (!has_cuda) {
        if (wants_cuda) {
            throw Error(Status::kDevice, "torch",
                        "device cuda: not there or not in this build; use cpu or auto");
        }
        return at::kCPU;
    }
    const int64_t count = static_cast<int64_t>(at::detail::getCUDAHooks().deviceCount());
    if (options.device_index < 0 || options.device_index >= count) {
        throw Error(Status::kDevice, "torch",
                    "device cuda:" + std::to_string(options.device_index) + ": there are " +
                        std::to_string(count) + " devices");
    }
    return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(options.device_index));
}

std::vector<float> to_floats(const at::Tensor& t) {
    const at::Tensor c = t.to(at::kCPU, at::kFloat).contiguous();
    const float* p = c.const_data_ptr<float>();
    return {p, p + c.numel()};
}

}  // namespace

std::string unread_part(const model::ModelConfig& config) {
    const auto layer = [](const std::vector<int64_t>& layers, const char* kind) {
        return "layer " + std::to_string(layers.front()) + " " + kind;
    };
    if (!config.memorizing_layers.empty())
        return layer(config.memorizing_layers, "attends to far keys (memorizing_layers)");
    if (!config.recurrent_layers.empty())
        return layer(config.recurrent_layers, "is block-recurrent (recurrent_layers)");
    if (!config.griffin_layers.empty())
        return layer(config.griffin_layers, "has a gated recurrence (griffin_layers)");
    if (config.has_cca() && config.cca_residual == model::CcaResidual::kBypass)
        return "cross-attention goes past the residual (cca_residual bypass)";
    return "";
}

TorchEngine::TorchEngine(const weights::Package& package, at::Device device)
    : device_(device),
      model_(model::load_model(package, device)),
      rope_(model_->config(), device),
      tokenizer_(text::Tokenizer::from_json(package.tokenizer_json())),
      fingerprint_(package.fingerprint()) {
    if (const std::string part = unread_part(config()); !part.empty()) {
        throw Error(Status::kUnsupported, "rpt",
                    "model package: " + part +
                        ", which the library does not read; evaluate it with rpt-lab eval");
    }
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
    if (c.has_retriever()) {
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

std::shared_ptr<const Engine> open_torch_engine(const std::string& path,
                                                const EngineOptions& options,
                                                const CallControl& control) {
    control.check();
    if (options.precision == Precision::kBf16 || options.precision == Precision::kF16) {
        throw Error(
            Status::kUnsupported, "rpt",
            "model \"" + path + "\": this engine computes in fp32; ask for precision model or f32");
    }
    const at::Device device = pick_device(options);
    const auto package = weights::Package::open(path);
    control.check();
    if (device.is_cpu()) model::use_fast_float_products();
    try {
        return std::make_shared<const TorchEngine>(*package, device);
    } catch (const c10::Error& error) {
        throw Error(Status::kDevice, "torch",
                    "model \"" + path +
                        "\": " + std::string(error.what_without_backtrace()).substr(0, 200));
    }
}

}  // namespace rpt::engine
