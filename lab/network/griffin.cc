#include "lab/network/griffin.h"

#include "lab/network/gated_scan.h"
#include "lab/network/layers.h"

namespace rpt::model {
namespace {

// u [B, T, r]: rows of `conv` meet the tokens two before, one before, and the token itself.
at::Tensor causal_conv(const at::Tensor& u, const at::Tensor& conv, const at::Tensor& bias) {
    const int64_t taps = conv.size(0), length = u.size(1);
    const at::Tensor padded = at::constant_pad_nd(u, {0, 0, taps - 1, 0});
    at::Tensor out = bias;
    for (int64_t i = 0; i < taps; ++i)
        out = at::addcmul(out, padded.narrow(1, i, length), conv.select(0, i));
    return out;
}

// sigmoid of a block-diagonal projection, fp32: x [B, T, r], w [g, r / g, r / g].
at::Tensor block_gate(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias) {
    const int64_t blocks = w.size(0);
    const at::Tensor split = x.reshape({-1, blocks, w.size(2)}).transpose(0, 1);
    const at::Tensor out = at::bmm(split, w.transpose(1, 2)).transpose(0, 1).reshape(x.sizes());
    return at::sigmoid(out.to(at::kFloat) + bias);
}

}  // namespace

at::Tensor griffin_block(const ModelConfig& config, const GriffinWeights& w, const at::Tensor& x) {
    const int64_t r = config.griffin_width;
    const at::Tensor both = at::linear(rms_norm(x, w.norm, config.norm_eps), w.in, w.in_bias);
    const at::Tensor y = at::gelu(both.narrow(-1, 0, r), "tanh");
    const at::Tensor u = causal_conv(both.narrow(-1, r, r).to(at::kFloat), w.conv, w.conv_bias);
    const at::Tensor gate = block_gate(u, w.recurrence, w.recurrence_bias);
    const at::Tensor log_a = gate * (at::softplus(w.decay) * -8);
    const at::Tensor input = block_gate(u, w.input_gate, w.input_gate_bias) * u;
    return at::linear(gated_scan(log_a, input).to(y.scalar_type()) * y, w.out, w.out_bias);
}

}  // namespace rpt::model
