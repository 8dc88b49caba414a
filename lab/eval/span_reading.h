// What a model makes of one span when it reads as it does by itself: states and predictions.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <span>

#include "lab/eval/span_neighbours.h"
#include "lab/network/rpt_model.h"
#include "lab/train/document_span.h"

namespace rpt::eval {

// Of the span's n tokens of text, on the CPU.
struct SpanReading {
    train::DocumentSpan span;
    at::Tensor states;   // fp32 [n, d], the residual stream after the layer that was asked for
    at::Tensor nll;      // fp32 [n]; 0 where nothing is predicted
    at::Tensor entropy;  // fp32 [n], nats, of each prediction
};

// The ranking that such a model reads from by itself, `width` chunks of each pool: its own
// retriever's, or BM25's of the chunk. Needs a memory of chunks.
Neighbours usual_ranking(const model::RptModel& model, const model::LowerOutput& low,
                         const train::DocumentSpan& span, int64_t width);

// The upper half of a span whose lower half is `low`, with `neighbours` int64 [1, l, K] or
// undefined for none. `layer`: from n_lower, which is before the upper half, to all layers.
SpanReading read_upper(const model::RptModel& model, const model::LowerOutput& low,
                       const at::Tensor& neighbours, const train::DocumentSpan& span,
                       int64_t layer);

// Both halves of one span, `text` as for score_document(), with the usual neighbours.
SpanReading read_span(const model::RptModel& model, const train::ShardVocabulary& vocabulary,
                      std::span<const int32_t> text, int64_t layer);

}  // namespace rpt::eval
