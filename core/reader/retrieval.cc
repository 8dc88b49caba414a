#include "core/reader/retrieval.h"

#include "base/error.h"
#include "core/reader/memory_search.h"
#include "core/reader/text_query.h"
#include "core/text/utf8_gate.h"

namespace rpt::reader {

std::vector<RetrievedChunk> retrieve(const engine::Engine& engine,
                                     const std::vector<std::shared_ptr<storage::Space>>& spaces,
                                     storage::Store& store, std::string_view text,
                                     const RetrieveOptions& options, const CallControl& control) {
    if (text.empty()) throw Error(Status::kArgument, "rpt", "retrieve: no text was given");
    if (spaces.empty()) throw Error(Status::kArgument, "rpt", "retrieve: no spaces were given");
    if (!engine.config().has_retriever())
        throw Error(Status::kUnsupported, "rpt", "retrieve: this model has no retriever");
    if (const size_t valid = text::valid_utf8_prefix(text); valid != text.size())
        throw Error(Status::kUtf8, "rpt",
                    "retrieve: invalid utf-8 at byte " + std::to_string(valid) + " of the text",
                    int64_t(valid));
    std::vector<int32_t> tokens{engine.tokenizer()->bos()};
    for (const text::Token& token : engine.tokenizer()->encode(text)) tokens.push_back(token.id);
    const std::vector<float> query =
        recent_query(engine, tokens, size_t(engine.config().chunk), control);
    const MemorySearch search(engine, &store, spaces);
    std::vector<Found> found = search.find({{query}}, -1, nullptr, options, control);
    return search.describe(found, nullptr, {}, options.with_text);
}

}  // namespace rpt::reader
