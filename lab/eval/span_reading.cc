#include "lab/eval/span_reading.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace rpt::eval {
namespace {

constexpr int64_t kRows = 256;  // of logits at once

}  // namespace

Neighbours usual_ranking(const model::RptModel& model, const model::LowerOutput& low,
                         const train::DocumentSpan& span, int64_t width) {
    const model::ModelConfig& config = model.config();
    if (config.has_retriever()) {
        const at::Tensor scores =
            model.retrieval_scores(low)[0].to(at::kCPU, at::kFloat).contiguous();
        return best_by_scores(config, scores, width);
    }
    return from_lists(train::make_given_neighbours(config, train::GivenQuery::kChunk, width,
                                                   span.inputs, span.n_tokens));
}

SpanReading read_upper(const model::RptModel& model, const model::LowerOutput& low,
                       const at::Tensor& neighbours, const train::DocumentSpan& span,
                       int64_t layer) {
    const model::ModelConfig& c = model.config();
    RPT_CHECK(layer >= c.n_lower && layer <= c.layers());
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> after = {low.hidden};
    const at::Tensor last = model.upper(low, neighbours, nullptr, &after)[0];
    const int64_t n = span.n_tokens;
    SpanReading out;
    out.span = span;
    out.states =
        after[static_cast<size_t>(layer - c.n_lower)][0].narrow(0, 0, n).to(at::kCPU, at::kFloat);
    out.nll = at::empty({n}, at::kFloat);
    out.entropy = at::empty({n}, at::kFloat);
    const at::Tensor targets = at::tensor(span.targets).narrow(0, 0, n);
    for (int64_t begin = 0; begin < n; begin += kRows) {
        const int64_t count = std::min(kRows, n - begin);
        const at::Tensor log_p =
            at::log_softmax(model.logits(last.narrow(0, begin, count)).to(at::kFloat), -1)
                .to(at::kCPU);
        const at::Tensor next = targets.narrow(0, begin, count).unsqueeze(1);
        out.nll.narrow(0, begin, count)
            .copy_(
                log_p.gather(1, next.clamp_min(0)).neg().masked_fill(next.lt(0), 0.0).squeeze(1));
        out.entropy.narrow(0, begin, count).copy_((log_p.exp() * log_p).sum(-1).neg());
    }
    return out;
}

SpanReading read_span(const model::RptModel& model, const train::ShardVocabulary& vocabulary,
                      std::span<const int32_t> text, int64_t layer) {
    const at::NoGradGuard no_grad;
    const model::ModelConfig& config = model.config();
    const train::DocumentSpan span = train::make_document_span(config, vocabulary, text);
    const at::Device device = model.parameters().front().second.device();
    const at::Tensor inputs =
        at::tensor(std::vector<int64_t>(span.inputs.begin(), span.inputs.end()))
            .unsqueeze(0)
            .to(device);
    const model::LowerOutput low = model.lower(inputs);
    at::Tensor neighbours;
    if (config.has_memory() && config.has_cca())
        neighbours = as_tensor(usual_ranking(model, low, span, config.neighbours),
                               config.neighbours, device);
    return read_upper(model, low, neighbours, span, layer);
}

}  // namespace rpt::eval
