#include "core/reader/retrieval.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"
#include "core/reader/leg_search.h"
#include "core/reader/memory_search.h"
#include "core/text/utf8_gate.h"

namespace rpt::reader {
namespace {

// Hits of a leg that take part in the fused order: the places behind add next to nothing.
constexpr size_t kFewestFused = 64;

}  // namespace

std::vector<RetrievedChunk> retrieve(const engine::Engine& engine,
                                     const std::vector<std::shared_ptr<storage::Space>>& spaces,
                                     storage::Store& store, std::string_view text,
                                     const RetrieveOptions& options, const CallControl& control) {
    if (text.empty()) throw Error(Status::kArgument, "rpt", "retrieve: no text was given");
    if (spaces.empty()) throw Error(Status::kArgument, "rpt", "retrieve: no spaces were given");
    const uint32_t legs = options.legs & legs_of(engine.config());
    if (legs == 0)
        throw Error(Status::kUnsupported, "rpt",
                    "retrieve: this model lacks what is compared; ask with other legs");
    if (const size_t valid = text::valid_utf8_prefix(text); valid != text.size())
        throw Error(Status::kUtf8, "rpt",
                    "retrieve: invalid utf-8 at byte " + std::to_string(valid) + " of the text",
                    int64_t(valid));
    const MemorySearch search(engine, &store, spaces);
    const LegSearch asked(engine, spaces, store);
    if (legs == 1u << kLegKeys) {
        std::vector<Found> found =
            search.find({{asked.key_query(text, control)}}, -1, nullptr, options, control);
        return search.describe(found, nullptr, {}, options);
    }
    const size_t k = options.k != 0 ? options.k : size_t(engine.config().neighbours);
    const uint32_t most = options.filter.max_per_document;
    storage::SearchFilter filter = options.filter;
    filter.min_score.reset();  // these count for the order of all legs
    filter.max_per_document = 0;
    // where many hits of a document give way, more must stand behind them
    const size_t wanted = std::max(kFewestFused, most != 0 ? 16 * k : 4 * k);
    std::vector<RetrievedChunk> told;
    std::map<uint64_t, uint32_t> taken;  // by document
    for (const FusedHit& hit : fuse(asked.find(text, legs, wanted, filter, control), legs)) {
        if (told.size() == k) break;
        if (options.filter.min_score && hit.score < *options.filter.min_score) break;
        std::optional<RetrievedChunk> chunk = search.describe_stored(hit.chunk, options);
        if (!chunk) continue;  // deleted meanwhile
        if (most != 0 && ++taken[chunk->info.document_id] > most) continue;
        chunk->score = hit.score;
        chunk->legs = hit.legs;
        told.push_back(std::move(*chunk));
    }
    return told;
}

}  // namespace rpt::reader
