#include "core/reader/segment_encoder.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/byte_order.h"
#include "base/error.h"
#include "core/reader/source_map.h"

namespace rpt::reader {
namespace {

// docs/results/stored_states.md: more costs time and gains nothing that can be measured.
constexpr uint32_t kContextChunks = 1;

}  // namespace

uint32_t default_context_tokens(const model::ModelConfig& config) {
    return kContextChunks * static_cast<uint32_t>(config.chunk);
}

SegmentEncoder::SegmentEncoder(const engine::Engine& engine, uint32_t context_tokens)
    : engine_(engine),
      context_tokens_(context_tokens),
      chunk_(size_t(engine_.config().chunk)),
      bos_(engine_.tokenizer()->bos()) {
    if (!engine_.config().has_retriever())
        throw Error(Status::kUnsupported, "rpt",
                    "this model has no retriever and so no keys to store; open one that has");
    if (bos_ < 0)
        throw Error(Status::kUnsupported, "rpt",
                    "model: its tokenizer lacks a token for the begin of a text");
}

SpannedTokens SegmentEncoder::tokenise(std::string_view text, bool ends) const {
    text::Utf8Gate gate(text::Utf8Gate::Mode::kReplace);
    std::vector<text::Utf8Gate::Piece> pieces = gate.append(text);
    if (ends)
        for (text::Utf8Gate::Piece& piece : gate.finish()) pieces.push_back(std::move(piece));
    text::IncrementalEncoder encoder(engine_.tokenizer());
    SourceMap map;
    std::vector<text::Token> tokens;
    for (const text::Utf8Gate::Piece& piece : pieces) {
        map.add(piece.text.size(), piece.source_bytes);
        encoder.append(piece.text, tokens);
    }
    SpannedTokens out;
    out.n_final = tokens.size();
    if (ends) {
        encoder.finish(tokens);
        out.n_final = tokens.size();
    } else {
        for (const text::Token& token : encoder.peek()) tokens.push_back(token);
    }
    uint64_t done = 0;
    for (const text::Token& token : tokens) {
        done += token.size;
        out.ids.push_back(token.id);
        out.ends.push_back(map.source_of(done));
        map.forget_before(done);
    }
    return out;
}

std::vector<int32_t> SegmentEncoder::context_behind(std::span<const int32_t> context,
                                                    std::span<const int32_t> tokens) const {
    std::vector<int32_t> all(context.begin(), context.end());
    std::ranges::copy_if(tokens, std::back_inserter(all), [&](int32_t id) { return id != bos_; });
    const size_t most = context_tokens_ > 0 ? context_tokens_ - 1 : 0;
    if (all.size() > most) all.erase(all.begin(), all.end() - ptrdiff_t(most));
    return all;
}

std::span<const int32_t> SegmentEncoder::seen(std::span<const int32_t> context) const {
    const size_t chunks = std::min<size_t>(context_tokens_, context.size() + 1) / chunk_;
    return chunks == 0 ? std::span<const int32_t>() : context.last(chunks * chunk_ - 1);
}

Digest SegmentEncoder::identity(std::span<const int32_t> context, std::string_view text,
                                bool text_discarded) const {
    const std::span<const int32_t> read = seen(context);
    ByteWriter head;
    head.text("segment").u8(text_discarded).u32(static_cast<uint32_t>(read.size()));
    for (const int32_t id : read) head.u32(static_cast<uint32_t>(id));
    return Sha256()
        .update(head.str().data(), head.str().size())
        .update(text.data(), text.size())
        .finish();
}

std::vector<engine::EncodedChunk> SegmentEncoder::run(std::span<const int32_t> context,
                                                      std::span<const int32_t> tokens) const {
    const std::span<const int32_t> read = seen(context);
    std::vector<int32_t> before, own;
    (read.empty() ? own : before).push_back(bos_);
    before.insert(before.end(), read.begin(), read.end());
    own.insert(own.end(), tokens.begin(), tokens.end());
    return engine_.encode_segment(before, own);
}

void SegmentEncoder::complete(storage::SegmentRecord& record,
                              std::span<const int32_t> context) const {
    const SpannedTokens tokens = tokenise(record.text, true);
    record.chunks = encode(context, tokens, tokens.ids.size(), false);
    record.known = false;
}

std::vector<storage::ChunkRecord> SegmentEncoder::encode(std::span<const int32_t> context,
                                                         const SpannedTokens& tokens,
                                                         size_t n_tokens, bool open) const {
    std::vector<storage::ChunkRecord> records;
    if (n_tokens == 0) return records;
    const size_t bos = seen(context).empty() ? 1 : 0;  // its place in the first chunk
    uint64_t begin = 0;
    for (engine::EncodedChunk& chunk : run(context, std::span(tokens.ids).first(n_tokens))) {
        storage::ChunkRecord record;
        const size_t first = size_t(chunk.index) * chunk_;  // counted with the begin token
        const size_t end = first + chunk.n_tokens - bos;    // counted in the text
        record.provisional = open && (chunk.n_tokens < chunk_ || end > tokens.n_final);
        if (first == 0 && bos == 1) record.tokens.push_back(bos_);
        const size_t from = first == 0 ? 0 : first - bos;
        record.tokens.insert(record.tokens.end(), tokens.ids.begin() + ptrdiff_t(from),
                             tokens.ids.begin() + ptrdiff_t(end));
        record.bytes = {begin, end > 0 ? tokens.ends[end - 1] : 0};
        begin = record.bytes.end;
        record.key = std::move(chunk.key);
        record.states = std::move(chunk.states);
        record.pointers = std::move(chunk.pointers);
        records.push_back(std::move(record));
    }
    return records;
}

std::vector<engine::EncodedChunk> SegmentEncoder::again(std::span<const int32_t> context,
                                                        std::span<const int32_t> stored) const {
    std::vector<int32_t> before = context_behind({}, context);
    const bool has_bos = !stored.empty() && stored.front() == bos_;
    // Stored without a context: what stood before it then does not count either.
    if (has_bos) before.clear();
    return run(before, stored.subspan(has_bos ? 1 : 0));
}

}  // namespace rpt::reader
