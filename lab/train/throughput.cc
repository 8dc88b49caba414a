#include "lab/train/throughput.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>

namespace rpt::train {

namespace {

// What the memory of each kind adds to a layer (spec 5.4 to 5.6).
double memorizing_flops(const model::ModelConfig& c, int64_t length) {
    const double q = static_cast<double>(c.n_heads * c.head_dim);
    const int64_t blocks = std::max<int64_t>(1, length / c.stride);
    double searched = 0, read = 0;  // mean numbers of keys
    for (int64_t block = 2; block < blocks; ++block) {
        const int64_t kept = std::min((block - 1) * c.stride, c.memorizing_tokens);
        searched += static_cast<double>(kept) / static_cast<double>(blocks);
        read +=
            static_cast<double>(std::min(kept, c.memorizing_top_k)) / static_cast<double>(blocks);
    }
    return 2 * q * searched + 4 * q * read;
}

double recurrent_flops(const model::ModelConfig& c) {
    const double d = static_cast<double>(c.dim), q = static_cast<double>(c.n_heads * c.head_dim);
    const double n = static_cast<double>(c.recurrent_states);
    const double stride = static_cast<double>(c.stride);
    const double token = 2 * 2 * d * q + 4 * q * n;
    const double state = 2 * 6 * d * q + 4 * q * (n + 2 * stride);
    return token + n / stride * state;
}

double griffin_flops(const model::ModelConfig& c) {
    const double d = static_cast<double>(c.dim), r = static_cast<double>(c.griffin_width);
    return 2 * 3 * d * r + 2 * 2 * r * r / static_cast<double>(c.griffin_gate_blocks);
}

}  // namespace

double forward_flops_per_token(const model::ModelConfig& c, int64_t length) {
    const double d = static_cast<double>(c.dim);
    const double q = static_cast<double>(c.n_heads * c.head_dim);
    const double kv = static_cast<double>(c.n_kv_heads * c.head_dim);
    const double ffn =
        static_cast<double>(c.ffn_dim) * (c.ffn == model::FfnKind::kSwiglu ? 3.0 : 2.0);
    // a query sees its block's earlier tokens and the block before: 1.5 S keys on average
    const double self_attention =
        2 * (2 * d * q + 2 * d * kv) + 4 * q * 1.5 * static_cast<double>(c.stride);
    double flops = static_cast<double>(c.layers()) * (self_attention + 2 * d * ffn);
    flops += 2 * d * static_cast<double>(c.vocab);
    flops += static_cast<double>(c.memorizing_layers.size()) * memorizing_flops(c, length);
    flops += static_cast<double>(c.recurrent_layers.size()) * recurrent_flops(c);
    flops += static_cast<double>(c.griffin_layers.size()) * griffin_flops(c);
    if (c.retrieval == model::RetrievalKind::kNone || c.cca_layers.empty()) return flops;

    const double m = static_cast<double>(c.chunk);
    const double read =
        2.0 * static_cast<double>(c.neighbours);  // neighbour tokens a token of text
    const double four = 2 * 4 * d * d;            // q, k, v and output of full width
    flops += four + 4 * d * m;                    // chunk encoder
    if (c.augment)
        flops += read * (four + 4 * d * 2 * m) + read * (2 * 2 * d * d + 4 * d * m) + 2 * 2 * d * d;
    // weighed neighbours are as they are stored: keys and values are made once for each chunk
    const double projected = c.scores_weigh() ? 1.0 : read;
    const double cross = 2 * 2 * d * q + projected * 2 * 2 * d * q + 4 * q * read * m;
    return flops + static_cast<double>(c.cca_layers.size()) * cross;
}

double gemm_flops_per_second(const model::ModelConfig& c, int64_t rows, at::Device device,
                             at::ScalarType dtype) {
    const at::NoGradGuard no_grad;
    const auto options = at::TensorOptions().device(device).dtype(dtype);
    const at::Tensor a = at::ones({rows, c.dim}, options);
    const at::Tensor b = at::ones({c.dim, c.ffn_dim}, options);
    at::Tensor out = at::mm(a, b);
    const double flops = 2.0 * static_cast<double>(rows) * static_cast<double>(c.dim * c.ffn_dim);
    using Clock = std::chrono::steady_clock;
    double best = 0;
    const auto end = Clock::now() + std::chrono::milliseconds(330);
    while (Clock::now() < end) {
        const auto start = Clock::now();
        const int repeats = 4;
        for (int i = 0; i < repeats; ++i) at::mm_out(out, a, b);
        out.select(0, 0).select(0, 0).item<double>();  // waits for an accelerator
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        best = std::max(best, repeats * flops / seconds);
    }
    return best;
}

}  // namespace rpt::train
