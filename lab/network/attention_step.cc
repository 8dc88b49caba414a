#include "lab/network/attention_step.h"

#include "lab/network/block_attention.h"
#include "lab/network/block_recurrent.h"
#include "lab/network/griffin.h"
#include "lab/network/memorizing.h"

namespace rpt::model {
namespace {

at::Tensor self_attention(const ModelConfig& config, const LayerWeights& layer,
                          const RopeTable& rope, const at::Tensor& h) {
    if (layer.memorizing)
        return memorizing_attention(config, layer.attention, *layer.memorizing, rope, h);
    if (layer.recurrent)
        return recurrent_attention(config, layer.attention, *layer.recurrent, rope, h);
    return block_attention(config, layer.attention, rope, h);
}

}  // namespace

at::Tensor attention_step(const ModelConfig& config, const LayerWeights& layer,
                          const RopeTable& rope, const at::Tensor& h) {
    const at::Tensor attended = h + self_attention(config, layer, rope, h);
    return layer.griffin ? attended + griffin_block(config, *layer.griffin, attended) : attended;
}

}  // namespace rpt::model
