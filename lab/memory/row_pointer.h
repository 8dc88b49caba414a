// A pointer beside a model that was trained here: a row of the paper, or a package of ours. It
// reads as it always does, chunks included, and copies from its far past are mixed into what it
// predicts.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lab/eval/document_scores.h"
#include "lab/memory/copy_distribution.h"
#include "lab/train/shard.h"

namespace rpt::memory {

// What a fit needs of a span, read by a model of this stride (half of its window). The token that
// ends a document is not predicted and not kept.
DocumentCache cache_span(const eval::SpanReading& reading, int64_t stride, std::string corpus,
                         std::string id);

// Nats of each predicted token [T - 1], with copies from the tokens that have left its window.
at::Tensor nll_with_pointer(const CopyParameters& p, const DocumentCache& span);

// Where in a shard to read: as many spans of `length` tokens as asked for, evenly over all that it
// has, in its order; all if it has fewer. Documents are cut from their beginning. Their last, short
// pieces are left out.
struct SpanPlace {
    size_t document = 0;
    uint64_t begin = 0;
};
std::vector<SpanPlace> span_places(const train::Shard& shard, int64_t count, int64_t length);

// Reads these spans as the model does by itself. `layer` as for eval::read_upper(). `tell` is
// called after each span.
std::vector<DocumentCache> read_spans(const model::RptModel& model, const train::Shard& shard,
                                      int64_t count, int64_t length, int64_t layer,
                                      const std::function<void()>& tell);

// The file of a fitted pointer (docs/format/memory.md), bound to the model's weights.
struct RowPointer {
    CopyParameters parameters;
    int64_t layer = 0;
    std::string weights;  // fingerprint of the model, hexadecimal
};
void save_pointer(const RowPointer& pointer, const std::string& made_from, const std::string& path);
// kNotFound, kCorrupt.
RowPointer load_pointer(const std::string& path);

// Adds the row `pointer` to an evaluation of `model`; throws kModelMismatch for a pointer of other
// weights.
void add_pointer(const RowPointer& pointer, const model::ModelConfig& config,
                 const std::string& weights, const std::string& path, eval::EvalSources& sources);

}  // namespace rpt::memory
