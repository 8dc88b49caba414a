// The engine on LibTorch: what its segments and its stream share.
#pragma once

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "core/engine/engine.h"
#include "core/weights/package.h"
#include "lab/engine/token_step.h"
#include "lab/engine/upper_memo.h"
#include "lab/network/model_weights.h"
#include "lab/network/rope.h"
#include "lab/network/rpt_model.h"

namespace rpt::engine {

// Immutable; shared by any number of streams on any threads.
class TorchEngine final : public Engine, public std::enable_shared_from_this<TorchEngine> {
  public:
    TorchEngine(const weights::Package& package, at::Device device);

    const model::ModelConfig& config() const override { return model_->config(); }
    std::shared_ptr<const text::Tokenizer> tokenizer() const override { return tokenizer_; }
    const Digest& fingerprint() const override { return fingerprint_; }
    uint64_t parameters() const override;
    uint64_t weight_bytes() const override { return 4 * parameters(); }
    std::vector<EncodedChunk> encode_segment(std::span<const int32_t> context,
                                             std::span<const int32_t> tokens) const override;
    std::unique_ptr<Stream> new_stream() const override;
    std::span<const float> copy_numbers() const override { return copy_numbers_; }
    std::string_view chat_template() const override { return chat_template_; }

    const model::RptModel& model() const { return *model_; }
    const model::ModelWeights& weights() const { return model_->weights(); }
    const model::RopeTable& rope() const { return rope_; }
    at::Device device() const { return device_; }
    // Null on devices other than the CPU.
    const TokenStep* token_step() const { return token_step_.get(); }
    UpperMemo& upper_memo() const { return upper_memo_; }
    // The residual stream [1, d] after n_lower layers of the token that opens a sequence, by
    // itself: the sink of texts that run through the upper half. Undefined without a sink.
    const at::Tensor& sink_state() const { return sink_state_; }

    // [n] token ids on the device. kArgument for an id outside the vocabulary.
    at::Tensor to_device(std::span<const int32_t> tokens) const;
    // Chunks of h_low [n, m, d] of which the first n_tokens tokens count, numbered from
    // `first_index`. `pointed` [n, m, d]: the residual stream after pointer_layer layers;
    // undefined: the chunks have no pointers, and no keys made of them.
    std::vector<EncodedChunk> encode(const at::Tensor& hidden, const at::Tensor& pointed,
                                     int64_t n_tokens, uint64_t first_index) const;

  private:
    std::pair<at::Tensor, at::Tensor> half_pass(const at::Tensor& tokens) const;
    // What the chunk encoder and the retriever make of the chunks.
    void encode_learnt(const at::Tensor& hidden, int64_t n_tokens,
                       std::vector<EncodedChunk>& out) const;

    at::Device device_;
    std::unique_ptr<const model::RptModel> model_;
    model::RopeTable rope_;
    std::shared_ptr<const text::Tokenizer> tokenizer_;
    Digest fingerprint_;
    std::vector<float> copy_numbers_;
    std::string chat_template_;
    std::unique_ptr<const TokenStep> token_step_;
    at::Tensor sink_state_;
    mutable UpperMemo upper_memo_;
};

// On the host.
std::vector<float> to_floats(const at::Tensor& t);

// Runs `f` without autograd; what LibTorch throws becomes rpt::Error. Inside a Bf16Scope
// (lab/network/bf16_scope.h) products are in bf16: casts of the weights are kept only outside
// inference mode.
template <typename F>
auto run_torch(F&& f) {
    const c10::InferenceMode guard(!at::autocast::is_autocast_enabled(at::kCPU));
    const at::NoGradGuard no_grad;  // behind it: a guard that is off turns gradients on
    try {
        return std::forward<F>(f)();
    } catch (const c10::OutOfMemoryError&) {
        throw Error(Status::kNoMemory, "torch", "model call: out of memory on the device");
    } catch (const c10::Error& error) {
        const std::string text = error.what_without_backtrace();
        const bool memory = text.find("can't allocate memory") != std::string::npos;
        throw Error(memory ? Status::kNoMemory : Status::kInternal, "torch",
                    "model call: " + text.substr(0, text.find('\n')).substr(0, 200));
    }
}

}  // namespace rpt::engine
