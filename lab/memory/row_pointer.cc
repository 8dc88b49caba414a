#include "lab/memory/row_pointer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "core/weights/package.h"
#include "lab/memory/memory_file.h"

namespace rpt::memory {
namespace {

constexpr const char* kLayerKey = "pointer_layer";

[[noreturn]] void refuse(const std::string& path) {
    throw Error(Status::kCorrupt, "rpt",
                "\"" + path + "\" is no pointer of a row; rpt-lab memory row writes one");
}

int64_t layer_of(const weights::Package& package, const std::string& path) {
    const auto found = package.metadata().find(kLayerKey);
    if (found == package.metadata().end()) refuse(path);
    const std::string& text = found->second;
    int64_t layer = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), layer);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size() || layer < 0) refuse(path);
    return layer;
}

}  // namespace

DocumentCache cache_span(const eval::SpanReading& reading, int64_t stride, std::string corpus,
                         std::string id) {
    const train::DocumentSpan& span = reading.span;
    const int64_t n = span.n_tokens;
    const bool ends = span.targets[static_cast<size_t>(n - 1)] < 0;
    DocumentCache out;
    out.corpus = std::move(corpus);
    out.id = std::move(id);
    out.stride = stride;
    std::vector<int64_t> tokens(span.inputs.begin(), span.inputs.begin() + n);
    if (!ends) tokens.push_back(span.targets[static_cast<size_t>(n - 1)]);
    out.tokens = at::tensor(tokens, at::kLong);
    out.states = reading.states.to(at::kHalf).contiguous();
    out.nll = reading.nll.narrow(0, 0, out.size() - 1);
    out.entropy = reading.entropy.narrow(0, 0, out.size() - 1);
    return out;
}

at::Tensor nll_with_pointer(const CopyParameters& p, const DocumentCache& span) {
    const at::NoGradGuard guard;
    const MappedDocument rows(p, span);
    at::Tensor out = span.nll.clone();
    for (int64_t block = 2; block < blocks_of(span); ++block) {
        const at::Tensor mixed =
            mixture_nll(p, rows.queries_of_block(block), rows.far_of_block(block));
        out.narrow(0, block * span.stride, mixed.size(0)).copy_(mixed);
    }
    return out;
}

std::vector<SpanPlace> span_places(const train::Shard& shard, int64_t count, int64_t length) {
    std::vector<SpanPlace> all;
    for (size_t d = 0; d < shard.documents().size(); ++d)
        for (uint64_t begin = 0;
             begin + static_cast<uint64_t>(length) <= shard.documents()[d].tokens;
             begin += static_cast<uint64_t>(length))
            all.push_back({d, begin});
    const auto wanted = static_cast<size_t>(count);
    if (all.size() <= wanted) return all;
    std::vector<SpanPlace> out;
    for (size_t i = 0; i < wanted; ++i) out.push_back(all[(2 * i + 1) * all.size() / (2 * wanted)]);
    return out;
}

std::vector<DocumentCache> read_spans(const model::RptModel& model, const train::Shard& shard,
                                      int64_t count, int64_t length, int64_t layer,
                                      const std::function<void()>& tell) {
    std::vector<DocumentCache> out;
    for (const SpanPlace& place : span_places(shard, count, length)) {
        const train::ShardDocument& document = shard.documents()[place.document];
        const std::vector<int32_t> text =
            shard.read(place.document, place.begin, static_cast<uint64_t>(length));
        out.push_back(cache_span(eval::read_span(model, shard.vocabulary(), text, layer),
                                 model.config().stride, document.collection, document.id));
        tell();
    }
    return out;
}

void save_pointer(const RowPointer& pointer, const std::string& made_from,
                  const std::string& path) {
    // a reader of stores has a second gate, for spaces; here there are none
    write_pointer(pointer.parameters, pointer.parameters, {},
                  {{kLayerKey, std::to_string(pointer.layer)},
                   {"weights", pointer.weights},
                   {"made_from", made_from}},
                  path);
}

RowPointer load_pointer(const std::string& path) {
    const auto package = weights::Package::open(path);
    RowPointer out;
    out.layer = layer_of(*package, path);
    const auto bound = package->metadata().find("weights");
    if (bound == package->metadata().end()) refuse(path);
    out.weights = bound->second;
    out.parameters = read_memory(*package, false);
    const int64_t d = out.parameters.mean.size(0);
    if (out.parameters.query.size(1) != d ||
        !out.parameters.key.sizes().equals(out.parameters.query.sizes()))
        refuse(path);
    return out;
}

void add_pointer(const RowPointer& pointer, const model::ModelConfig& config,
                 const std::string& weights, const std::string& path, eval::EvalSources& sources) {
    if (pointer.weights != weights)
        throw Error(Status::kModelMismatch, "rpt",
                    "pointer \"" + path + "\" was fitted to another model; fit one to this");
    if (pointer.parameters.mean.size(0) != config.dim || pointer.layer < config.n_lower ||
        pointer.layer > config.layers())
        refuse(path);
    sources.pointer_layer = pointer.layer;
    sources.pointer = [p = pointer.parameters,
                       stride = config.stride](const eval::SpanReading& reading) {
        at::Tensor nll = reading.nll.clone();
        const at::Tensor mixed = nll_with_pointer(p, cache_span(reading, stride, "", ""));
        nll.narrow(0, 0, mixed.size(0)).copy_(mixed);
        return nll;
    };
}

}  // namespace rpt::memory
