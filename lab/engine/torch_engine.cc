#include "lab/engine/torch_engine.h"

#include <algorithm>
#include <array>

#include "core/engine/pooled_pointer.h"
#include "core/weights/dequantise.h"
#include "lab/engine/torch_stream.h"
#include "lab/network/layers.h"
#include "lab/network/pointers.h"
#include "lab/network/retriever.h"

namespace rpt::engine {

std::vector<float> to_floats(const at::Tensor& t) {
    const at::Tensor c = t.to(at::kCPU, at::kFloat).contiguous();
    const float* p = c.const_data_ptr<float>();
    return {p, p + c.numel()};
}

namespace {

// Of keys and values of neighbours: 45 pairs of chunks of a SmolLM2-135M that is split in the
// middle.
constexpr size_t kMemoBytes = size_t{128} << 20;

// Numbers of the gate of copying; none in the package, none here.
std::vector<float> copy_numbers_of(const weights::Package& package) {
    const auto found = package.tensors().find("memory.copy");
    if (found == package.tensors().end()) return {};
    constexpr int64_t kMost = 1024;
    if (found->second.shape.size() != 1 || found->second.shape[0] > kMost)
        throw Error(Status::kCorrupt, "rpt",
                    "model package: tensor memory.copy is not a list of at most " +
                        std::to_string(kMost) + " numbers; fit the memory file again");
    std::vector<float> numbers(static_cast<size_t>(found->second.shape[0]));
    weights::read_floats(package, "memory.copy", numbers);
    return numbers;
}

std::string chat_template_of(const weights::Package& package) {
    const auto found = package.metadata().find("chat_template");
    return found == package.metadata().end() ? std::string() : found->second;
}

}  // namespace

TorchEngine::TorchEngine(const weights::Package& package, at::Device device)
    : device_(device),
      model_(model::load_model(package, device)),
      rope_(model_->config(), device),
      tokenizer_(text::Tokenizer::from_json(package.tokenizer_json(), package.roles_json())),
      fingerprint_(package.fingerprint()),
      copy_numbers_(copy_numbers_of(package)),
      chat_template_(chat_template_of(package)),
      upper_memo_(kMemoBytes) {
    if (tokenizer_->vocab_size() > config().vocab) {
        throw Error(Status::kCorrupt, "rpt",
                    "model package: the tokenizer has " + std::to_string(tokenizer_->vocab_size()) +
                        " tokens, the model " + std::to_string(config().vocab));
    }
    if (config().sink && config().passes_neighbours() && tokenizer_->bos() >= 0) {
        const std::array opening{tokenizer_->bos()};
        run_torch([&] {
            sink_state_ = model_->lower_hidden(to_device(opening).unsqueeze(0))[0].contiguous();
        });
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
        const int64_t begin = static_cast<int64_t>(context.size());
        const auto in_chunks = [&](const at::Tensor& h) {
            return h[0].narrow(0, begin, h.size(1) - begin).view({-1, c.chunk, c.dim});
        };
        const auto [hidden, pointed] = half_pass(to_device(ids).unsqueeze(0));
        return encode(in_chunks(hidden), c.has_pointers() ? in_chunks(pointed) : pointed,
                      static_cast<int64_t>(tokens.size()), 0);
    });
}

// h_low, and the residual stream after pointer_layer layers if the model has pointers.
std::pair<at::Tensor, at::Tensor> TorchEngine::half_pass(const at::Tensor& tokens) const {
    const model::ModelConfig& c = config();
    if (!c.has_pointers()) return {model_->lower_hidden(tokens), at::Tensor()};
    const std::array layers{std::min(c.n_lower, c.pointer_layer),
                            std::max(c.n_lower, c.pointer_layer)};
    std::vector<at::Tensor> hidden = model_->hidden_after(tokens, layers);
    if (c.points_low()) std::swap(hidden[0], hidden[1]);
    return {hidden[0], hidden[1]};
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

std::vector<EncodedChunk> TorchEngine::encode(const at::Tensor& hidden, const at::Tensor& pointed,
                                              int64_t n_tokens, uint64_t first_index) const {
    const model::ModelConfig& c = config();
    const int64_t m = c.chunk;
    const bool frozen = c.retrieval == model::RetrievalKind::kPointer;
    std::vector<EncodedChunk> out(static_cast<size_t>((n_tokens + m - 1) / m));
    for (size_t i = 0; i < out.size(); ++i) {
        out[i].index = first_index + i;
        out[i].n_tokens =
            static_cast<uint32_t>(std::min(m, n_tokens - static_cast<int64_t>(i) * m));
    }
    if (c.has_memory()) encode_learnt(hidden, n_tokens, out);
    const auto rows_of = [&](const at::Tensor& rows, size_t chunk) {
        return to_floats(rows[static_cast<int64_t>(chunk)].narrow(0, 0, out[chunk].n_tokens));
    };
    if (frozen) {
        const at::Tensor states = (hidden / weights().state_scale).to(at::kCPU);
        for (size_t i = 0; i < out.size(); ++i) out[i].states = rows_of(states, i);
    }
    if (!pointed.defined()) return out;
    const at::Tensor keys = model::pointer_keys(*weights().pointer, pointed).to(at::kCPU);
    for (size_t i = 0; i < out.size(); ++i) {
        out[i].pointers = rows_of(keys, i);
        if (frozen)
            out[i].key = out[i].query =
                pooled_pointer(out[i].pointers, static_cast<size_t>(c.pointer_width));
    }
    return out;
}

void TorchEngine::encode_learnt(const at::Tensor& hidden, int64_t n_tokens,
                                std::vector<EncodedChunk>& out) const {
    const model::ModelConfig& c = config();
    const int64_t chunks = hidden.size(0), m = c.chunk;
    const at::Tensor present =
        at::arange(chunks * m, hidden.options().dtype(at::kLong)).lt(n_tokens).view({chunks, m});
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
}

}  // namespace rpt::engine
