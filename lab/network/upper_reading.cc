#include "lab/network/upper_reading.h"

#include <algorithm>
#include <utility>

#include "lab/network/block_attention.h"
#include "lab/network/cross_attention.h"
#include "lab/network/layers.h"

namespace rpt::model {
namespace {

const LayerWeights& layer_of(const ModelWeights& w, int64_t i) {
    return w.layers[static_cast<size_t>(i)];
}

Projected project(const ModelConfig& config, const SelfAttentionWeights& w, const at::Tensor& h) {
    return part_heads(config, project_heads(config, w, rms_norm(h, w.norm, config.norm_eps)));
}

// One text as the twin follows it through the layers, and who reads it.
struct FarText {
    int64_t chunk;
    at::Tensor hidden;  // [1, n, d], the sink's row before it if the model has one
};

int64_t sink_rows(const at::Tensor& sink) {
    return sink.defined() ? sink.size(0) : 0;
}

at::Tensor behind_sink(const at::Tensor& sink, const at::Tensor& text) {
    return sink.defined() ? at::cat({sink, text}) : text;
}

// Keys, values and their visibility for the queries of one layer; more columns are put behind.
struct Columns {
    at::Tensor k, v;     // [1, L, G, d_h]
    at::Tensor visible;  // bool [T, L]

    void add(const at::Tensor& more_k, const at::Tensor& more_v, const at::Tensor& seen_by) {
        k = at::cat({k, more_k}, 1);
        v = at::cat({v, more_v}, 1);
        visible = at::cat({visible, seen_by.unsqueeze(1).expand({-1, more_k.size(1)})}, 1);
    }
};

// A document's tokens: position, block, and the chunk whose neighbours they read.
struct Places {
    at::Tensor position, block, chunk;  // int64 [T]
    int64_t blocks;

    Places(const ModelConfig& c, int64_t length) {
        position = at::arange(length, at::TensorOptions().dtype(at::kLong));
        block = position.div(c.stride, "floor");
        blocks = (length + c.stride - 1) / c.stride;
        chunk = at::empty({length}, at::kLong);
        for (int64_t p = 0; p < length; ++p) {
            const bool seam = !c.carry_neighbours && p % c.stride < c.chunk - 1;
            chunk[p].fill_(seam ? int64_t{-1} : cca_place(p, c.chunk).u);
        }
    }
};

at::Tensor turned(const ModelConfig& c, const at::Tensor& x, int64_t first) {
    return rotate(x, rotary_factors(c, first, x.size(1)), c.rope_pairing);
}

// Every key that any token of the document sees. A window's first row stands at (block - 1) S.
Columns all_columns(const ModelConfig& c, const SelfAttentionWeights& w, const Places& at_token,
                    const Projected& own, const std::vector<FarText>& far, int64_t opening) {
    const at::Tensor key = at_token.position.unsqueeze(0), query = at_token.position.unsqueeze(1);
    Columns columns{
        turned(c, own.k, 0), own.v,
        key.le(query).logical_and(at_token.block.unsqueeze(0).ge(at_token.block.unsqueeze(1) - 1))};
    for (int64_t b = 0; b < at_token.blocks; ++b) {
        const int64_t row = (b - 1) * c.stride;
        const at::Tensor in_block = at_token.block.eq(b);
        if (c.sink && b >= 2)
            columns.add(turned(c, own.k.narrow(1, 0, 1), row - 1), own.v.narrow(1, 0, 1), in_block);
        for (const FarText& text : far) {
            const at::Tensor readers = in_block.logical_and(at_token.chunk.eq(text.chunk));
            if (!readers.any().item<bool>()) continue;
            const int64_t n = text.hidden.size(1) - opening;
            const Projected p = project(c, w, text.hidden.narrow(1, opening, n));
            columns.add(turned(c, p.k, row - 2 * c.chunk), p.v, readers);
        }
    }
    return columns;
}

}  // namespace

std::vector<FarRows> pass_neighbours(const ModelConfig& config, const ModelWeights& w,
                                     const RopeTable& rope, const at::Tensor& sink,
                                     const std::vector<at::Tensor>& texts) {
    const ModelConfig& c = config;
    const int64_t opening = sink_rows(sink);
    int64_t longest = 0;
    for (const at::Tensor& text : texts) longest = std::max(longest, opening + text.size(0));
    const int64_t n = static_cast<int64_t>(texts.size());
    // no token sees the padding behind its text
    at::Tensor h = at::zeros({n, longest, c.dim}, texts[0].options());
    for (int64_t i = 0; i < n; ++i) {
        const at::Tensor text = behind_sink(sink, texts[static_cast<size_t>(i)]);
        h[i].narrow(0, 0, text.size(0)).copy_(text);
    }
    const at::Tensor mask =
        additive_mask(at::ones({longest, longest}, h.options().dtype(at::kBool)).tril());
    const auto present = [&](const at::Tensor& rows) {
        std::vector<at::Tensor> parts;
        for (int64_t i = 0; i < n; ++i)
            parts.push_back(rows[i].narrow(0, opening, texts[static_cast<size_t>(i)].size(0)));
        return at::cat(parts).contiguous();
    };
    const at::Tensor before_window =
        rotary_factors(c, -2 * c.chunk - opening, longest).to(h.device());
    std::vector<FarRows> out;
    for (int64_t i = c.n_lower; i < c.layers(); ++i) {
        const LayerWeights& layer = layer_of(w, i);
        const Projected p = project(c, layer.attention, h);
        // fp32 whatever the products are in: single tokens read them without LibTorch
        out.push_back({present(rotate(p.k, before_window, c.rope_pairing)).to(at::kFloat),
                       present(p.v).to(at::kFloat)});
        if (i + 1 == c.layers()) break;
        const at::Tensor read = attend(rope.rotate(p.q, 0), rope.rotate(p.k, 0), p.v, mask);
        h = h + at::linear(read, layer.attention.out);
        h = h + feed_forward(c, layer.ffn, h);
    }
    return out;
}

at::Tensor upper_reading_slow(const ModelConfig& config, const ModelWeights& w,
                              const at::Tensor& low, const at::Tensor& sink,
                              const std::vector<std::vector<at::Tensor>>& texts) {
    const ModelConfig& c = config;
    const Places places(c, low.size(0));
    std::vector<FarText> far;
    for (size_t u = 0; u < texts.size(); ++u) {
        for (const at::Tensor& text : texts[u])
            far.push_back({static_cast<int64_t>(u), behind_sink(sink, text).unsqueeze(0)});
    }
    ModelConfig alone = c;  // a text by itself, in one block: its first row is in sight of all
    alone.sink = false;
    alone.stride = 2 * c.chunk + sink_rows(sink);
    const RopeTable rope(c, low.device());
    at::Tensor h = low.unsqueeze(0);
    for (int64_t i = c.n_lower; i < c.layers(); ++i) {
        const LayerWeights& layer = layer_of(w, i);
        const Projected own = project(c, layer.attention, h);
        const Columns columns = all_columns(c, layer.attention, places, own, far, sink_rows(sink));
        const at::Tensor read =
            attend_slow(turned(c, own.q, 0), columns.k, columns.v, additive_mask(columns.visible));
        h = h + at::linear(read, layer.attention.out);
        h = h + feed_forward(c, layer.ffn, h);
        for (FarText& text : far) {
            at::Tensor& x = text.hidden;
            x = x + block_attention_slow(alone, layer.attention, rope, x);
            x = x + feed_forward(c, layer.ffn, x);
        }
    }
    return (c.final_norm ? rms_norm(h, w.final_norm, c.norm_eps) : h)[0];
}

}  // namespace rpt::model
