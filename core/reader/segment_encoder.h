// One segment of a document into its record: a pure function of its text and of the tokens before
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/engine/engine.h"
#include "core/text/utf8_gate.h"
#include "storage/store.h"

namespace rpt::reader {

// Tokens of a text with the original bytes behind each.
struct SpannedTokens {
    std::vector<int32_t> ids;
    std::vector<uint64_t> ends;  // border after each token, in original bytes
    size_t n_final = 0;          // no further text can change the first n_final of them
};

// Shared by threads; borrows the engine. The model reads the begin token, up to `context_tokens` -
// 1 tokens before the segment in whole chunks (none where there are too few), and the segment,
// whose first token begins a chunk. Where nothing stands before it, the begin token is the first
// token of the segment's first chunk.
class SegmentEncoder {
  public:
    // kUnsupported if the model has no retriever or its tokenizer no begin token.
    SegmentEncoder(const engine::Engine& engine, uint32_t context_tokens);

    // A text that ends here, or one that may go on: then the last tokens may not be final.
    SpannedTokens tokenise(std::string_view text, bool ends) const;
    // The last tokens of `tokens` that a segment behind them may see; `context` is what they could.
    std::vector<int32_t> context_behind(std::span<const int32_t> context,
                                        std::span<const int32_t> tokens) const;
    // Of all that a closed segment's chunks depend on, and of whether its text is kept.
    Digest identity(std::span<const int32_t> context, std::string_view text,
                    bool text_discarded) const;
    bool begins_with_bos(std::span<const int32_t> context) const { return seen(context).empty(); }
    // Encodes a closed segment of which the record has the text alone.
    void complete(storage::SegmentRecord& record, std::span<const int32_t> context) const;
    // Chunks of the first `n_tokens` of `tokens`; one that holds a token which is not final, or too
    // few, is provisional if `open`.
    std::vector<storage::ChunkRecord> encode(std::span<const int32_t> context,
                                             const SpannedTokens& tokens, size_t n_tokens,
                                             bool open) const;
    // A stored segment's chunks made again. `context`: tokens before it, as stored.
    std::vector<engine::EncodedChunk> again(std::span<const int32_t> context,
                                            std::span<const int32_t> stored) const;

    const engine::Engine& engine() const { return engine_; }
    uint32_t context_tokens() const { return context_tokens_; }

  private:
    // The part of `context` that is read: so many tokens that with the begin token they fill whole
    // chunks.
    std::span<const int32_t> seen(std::span<const int32_t> context) const;
    std::vector<engine::EncodedChunk> run(std::span<const int32_t> context,
                                          std::span<const int32_t> tokens) const;

    const engine::Engine& engine_;
    uint32_t context_tokens_;
    size_t chunk_;
    int32_t bos_;
};

// What a store that is made with this model fixes for good.
uint32_t default_context_tokens(const model::ModelConfig& config);

}  // namespace rpt::reader
