#include "core/reader/retrieval.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/error.h"
#include "core/reader/memory_search.h"
#include "core/reader/text_query.h"
#include "core/text/utf8_gate.h"

namespace rpt::reader {
namespace {

// Hits of a leg that take part in the fused order: the places behind add next to nothing.
constexpr size_t kFewestFused = 64;

std::vector<float> key_query(const engine::Engine& engine, std::string_view text,
                             const CallControl& control) {
    std::vector<int32_t> tokens{engine.tokenizer()->bos()};
    for (const text::Token& token : engine.tokenizer()->encode(text)) tokens.push_back(token.id);
    return recent_query(engine, tokens, size_t(engine.config().chunk), control);
}

std::array<std::vector<storage::Hit>, kLegs> ask_legs(
    const engine::Engine& engine, const std::vector<std::shared_ptr<storage::Space>>& spaces,
    storage::Store& store, std::string_view text, uint32_t legs, size_t k,
    const RetrieveOptions& options, const CallControl& control) {
    storage::SearchFilter filter = options.filter;
    filter.min_score.reset();
    filter.max_per_document = 0;  // counts where all legs have been heard
    // where many hits of a document give way, more must stand behind them
    const size_t wanted =
        std::max(kFewestFused, options.filter.max_per_document != 0 ? 16 * k : 4 * k);
    std::array<std::vector<storage::Hit>, kLegs> hits;
    if ((legs >> kLegKeys & 1) != 0) {
        filter.weigh_by_idf = engine.config().key_features > 0;
        hits[kLegKeys] =
            store.search(spaces, key_query(engine, text, control), wanted, filter, control);
    }
    constexpr std::array kByText{std::pair{kLegWords, storage::WordLeg::kWords},
                                 std::pair{kLegGrams, storage::WordLeg::kGrams},
                                 std::pair{kLegDefinitions, storage::WordLeg::kDefinitions}};
    for (const auto& [leg, compared] : kByText)
        if ((legs >> leg & 1) != 0)
            hits[leg] = store.search_words(spaces, text, compared, wanted, filter, control);
    return hits;
}

}  // namespace

std::vector<RetrievedChunk> retrieve(const engine::Engine& engine,
                                     const std::vector<std::shared_ptr<storage::Space>>& spaces,
                                     storage::Store& store, std::string_view text,
                                     const RetrieveOptions& options, const CallControl& control) {
    if (text.empty()) throw Error(Status::kArgument, "rpt", "retrieve: no text was given");
    if (spaces.empty()) throw Error(Status::kArgument, "rpt", "retrieve: no spaces were given");
    const uint32_t legs = options.legs & ~(engine.config().has_retriever() ? 0u : 1u << kLegKeys);
    if (legs == 0)
        throw Error(Status::kUnsupported, "rpt", "retrieve: this model has no retriever");
    if (const size_t valid = text::valid_utf8_prefix(text); valid != text.size())
        throw Error(Status::kUtf8, "rpt",
                    "retrieve: invalid utf-8 at byte " + std::to_string(valid) + " of the text",
                    int64_t(valid));
    const MemorySearch search(engine, &store, spaces);
    if (legs == 1u << kLegKeys) {
        const std::vector<float> query = key_query(engine, text, control);
        std::vector<Found> found = search.find({{query}}, -1, nullptr, options, control);
        return search.describe(found, nullptr, {}, options.with_text);
    }
    const size_t k = options.k != 0 ? options.k : size_t(engine.config().neighbours);
    std::vector<RetrievedChunk> told;
    std::map<uint64_t, uint32_t> taken;  // by document
    for (const FusedHit& hit :
         fuse(ask_legs(engine, spaces, store, text, legs, k, options, control), legs)) {
        if (told.size() == k) break;
        if (options.filter.min_score && hit.score < *options.filter.min_score) break;
        std::optional<RetrievedChunk> chunk = search.describe_stored(hit.chunk, options.with_text);
        if (!chunk) continue;  // deleted meanwhile
        const uint32_t most = options.filter.max_per_document;
        if (most != 0 && ++taken[chunk->info.document_id] > most) continue;
        chunk->score = hit.score;
        chunk->legs = hit.legs;
        told.push_back(std::move(*chunk));
    }
    return told;
}

}  // namespace rpt::reader
