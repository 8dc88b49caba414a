#include "lab/memory/document_cache.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/error.h"
#include "core/weights/package_writer.h"
#include "lab/network/bf16_scope.h"
#include "lab/network/layers.h"
#include "lab/network/model_weights.h"

namespace rpt::memory {
namespace {

constexpr int64_t kRows = 256;  // of logits at once

at::Tensor read(const weights::Package& package, const std::string& name, at::ScalarType type) {
    const weights::TensorInfo& info = package.tensors().at(name);
    at::Tensor out = at::empty(info.shape, at::TensorOptions().dtype(type));
    package.read(name, {static_cast<std::byte*>(out.mutable_data_ptr()), out.nbytes()});
    return out;
}

weights::TensorData data_of(const at::Tensor& t, weights::DType type) {
    return {type, t.sizes().vec(), {static_cast<const std::byte*>(t.const_data_ptr()), t.nbytes()}};
}

}  // namespace

DocumentCache cache_document(const model::RptModel& model, const std::vector<int32_t>& tokens,
                             std::string corpus, std::string id, const CacheOptions& options) {
    RPT_CHECK(tokens.size() > 1);
    const at::NoGradGuard guard;  // inference mode would cast the weights for each product
    const model::Bf16Scope products(at::kCPU, options.bf16);
    const model::ModelConfig& c = model.config();
    DocumentCache out;
    out.corpus = std::move(corpus);
    out.id = std::move(id);
    out.stride = c.stride;
    out.tokens = at::empty({static_cast<int64_t>(tokens.size())}, at::kLong);
    std::copy(tokens.begin(), tokens.end(), out.tokens.mutable_data_ptr<int64_t>());
    std::vector<int64_t> layers = {c.n_lower, options.layer, c.layers()};
    std::ranges::sort(layers);
    const std::vector<at::Tensor> hidden = model.hidden_after(out.tokens.unsqueeze(0), layers);
    const auto after = [&](int64_t wanted) {
        return hidden[static_cast<size_t>(std::ranges::find(layers, wanted) - layers.begin())][0];
    };
    out.states = after(options.layer).to(at::kHalf).contiguous();
    out.low_square = after(c.n_lower).square().mean(0);
    at::Tensor last = after(c.layers());
    if (c.final_norm) last = model::rms_norm(last, model.weights().final_norm, c.norm_eps);
    const int64_t n = out.size() - 1;
    out.nll = at::zeros({n}, at::kFloat);
    out.entropy = at::zeros({n}, at::kFloat);
    for (int64_t begin = options.first_scored; begin < n; begin += kRows) {
        const int64_t count = std::min(kRows, n - begin);
        const at::Tensor log_p =
            at::log_softmax(model.logits(last.narrow(0, begin, count)).to(at::kFloat), -1);
        const at::Tensor next = out.tokens.narrow(0, begin + 1, count).unsqueeze(1);
        out.nll.narrow(0, begin, count).copy_(log_p.gather(1, next).squeeze(1).neg());
        out.entropy.narrow(0, begin, count).copy_((log_p.exp() * log_p).sum(-1).neg());
    }
    return out;
}

void save_cache(const DocumentCache& cache, const std::string& made_by, const std::string& path) {
    weights::write_package(path,
                           {{"tokens", data_of(cache.tokens, weights::DType::kI64)},
                            {"states", data_of(cache.states, weights::DType::kF16)},
                            {"low_square", data_of(cache.low_square, weights::DType::kF32)},
                            {"nll", data_of(cache.nll, weights::DType::kF32)},
                            {"entropy", data_of(cache.entropy, weights::DType::kF32)}},
                           {{"config", "{}"},
                            {"tokenizer", "{}"},
                            {"made_by", made_by},
                            {"corpus", cache.corpus},
                            {"id", cache.id},
                            {"stride", std::to_string(cache.stride)}});
}

bool load_cache(const std::string& path, const std::string& made_by, DocumentCache& cache) {
    std::shared_ptr<const weights::Package> package;
    try {
        package = weights::Package::open(path, false);
    } catch (const Error& error) {
        if (error.status() == Status::kNotFound) return false;
        throw;
    }
    const auto& metadata = package->metadata();
    const auto made = metadata.find("made_by");
    if (made == metadata.end() || made->second != made_by) return false;
    cache.corpus = metadata.at("corpus");
    cache.id = metadata.at("id");
    cache.stride = std::stoll(metadata.at("stride"));
    cache.tokens = read(*package, "tokens", at::kLong);
    cache.states = read(*package, "states", at::kHalf);
    cache.low_square = read(*package, "low_square", at::kFloat);
    cache.nll = read(*package, "nll", at::kFloat);
    cache.entropy = read(*package, "entropy", at::kFloat);
    return true;
}

}  // namespace rpt::memory
