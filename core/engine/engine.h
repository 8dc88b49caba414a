// What a reader needs of a model, as plain numbers: the seam behind which an engine computes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/sha256.h"
#include "core/model/config.h"
#include "core/text/tokenizer.h"

namespace rpt::engine {

// One chunk as the lower half sees it. n_tokens < m only for the provisional tail of a document.
// w is the model's key_width().
struct EncodedChunk {
    uint64_t index = 0;  // number in its document or session, from 0
    uint32_t n_tokens = 0;
    std::vector<float> key;     // [w]
    std::vector<float> query;   // [w]
    std::vector<float> states;  // [n_tokens, d]
    // Pointer keys of the tokens, unit rows [n_tokens, pointer_width]; empty if the model has none.
    std::vector<float> pointers;
};

// One neighbour: the states of a chunk and of its successor. Borrowed for the duration of a call.
struct Neighbour {
    std::span<const float> chunk;      // [n, d], n <= m; missing tokens are masked
    std::span<const float> successor;  // [n, d], n <= m; empty if there is none
    float score = 0;  // <query, key> / sqrt(d); counts where scores weigh neighbours (gca)
};

// What one retrieved neighbour counted for: the value of its gate, or its weight where scores weigh
// neighbours; 1 without either.
struct NeighbourUse {
    float gate = 1.0f;
};

// What a stream was at one position: immutable, shared by threads, and independent of what its
// stream does afterwards. Only streams of the engine that made it can go back to it.
class Checkpoint {
  public:
    virtual ~Checkpoint() = default;
    virtual uint64_t position() const = 0;  // tokens read
};

// Both halves, for reading and continuing. Tokens go through advance_lower(), then the neighbours
// of every chunk that closed are set, then advance_upper(). One thread at a time.
class Stream {
  public:
    virtual ~Stream() = default;
    virtual uint64_t position() const = 0;  // tokens read
    // Tokens until the end of the current block: the most that one advance_lower() takes (1 .. S).
    virtual size_t room() const = 0;
    // Returns the chunks that closed within these tokens, in order. Feeding S tokens, pieces, or
    // one at a time gives the same numbers within 1e-4 (spec S6). The chunks have no pointers:
    // pointers() hands them out. Where retrieval is pointer and pointer_layer lies above the lower
    // half, key and query are empty too; both are pooled_pointer() of what pointers() gives.
    virtual std::vector<EncodedChunk> advance_lower(std::span<const int32_t> tokens) = 0;
    // Once for each chunk that closed, in order, before advance_upper(). No neighbours is a legal
    // answer, and any number costs what it costs.
    virtual std::vector<NeighbourUse> set_neighbours(uint64_t chunk,
                                                     std::span<const Neighbour> neighbours) = 0;
    // Once, before any token: neighbours for the first m - 1 tokens, which have no chunk before
    // them and otherwise read no memory at all (spec 1.13). Training has no such neighbours; this
    // is for questions shorter than a chunk.
    virtual std::vector<NeighbourUse> set_opening_neighbours(
        std::span<const Neighbour> neighbours) = 0;
    // The upper half over the tokens of the last advance_lower().
    // Logits of the last token, [vocab].
    virtual void advance_upper(std::span<float> last_logits) = 0;
    // Natural log-probability of `next[i]` after token i, one for each token; then as above if
    // wanted.
    virtual void advance_upper_scored(std::span<const int32_t> next, std::span<float> log_probs,
                                      std::span<float> last_logits) = 0;
    // As above, but hands out the logits of every token: rows [k, vocab] of consecutive tokens,
    // k >= 1, in order; `first` counts from the first token of the last advance_lower(). The rows
    // are borrowed for the call. `sink` may throw: the tokens are read all the same.
    using RowSink = std::function<void(size_t first, std::span<const float> logits)>;
    virtual void advance_upper_rows(const RowSink& sink) = 0;
    // After advance_upper*(): pointer keys and queries of the tokens that it read, unit rows
    // [n, pointer_width]. Both become empty for a model without pointers, and before any token.
    virtual void pointers(std::vector<float>& keys, std::vector<float>& queries) const = 0;
    // The three below are called between tokens: after advance_upper(), or before any token.
    // An engine that keeps its state in pages copies references; one that does not copies the
    // state.
    virtual std::shared_ptr<const Checkpoint> checkpoint() const = 0;
    // Becomes what it was, or what the stream was that it was forked from. On failure unchanged.
    virtual void rewind(const Checkpoint& checkpoint) = 0;
    // A second stream that goes on from here, independent of this one.
    virtual std::unique_ptr<Stream> fork() const = 0;
};

// Immutable and shared; its streams may run on different threads, though one model call at a time
// is fastest.
class Engine {
  public:
    virtual ~Engine() = default;
    virtual const model::ModelConfig& config() const = 0;
    virtual std::shared_ptr<const text::Tokenizer> tokenizer() const = 0;
    virtual const Digest& fingerprint() const = 0;
    virtual uint64_t parameters() const = 0;
    virtual uint64_t weight_bytes() const = 0;
    // Lower half over one segment, all of it in one pass. `context` (empty or a multiple of m
    // tokens) is read before it and gives no chunks. Chunk i is tokens [i m, (i + 1) m); the last
    // may be short. The layers up to pointer_layer run, if that lies above the lower half, so that
    // the chunks have pointers. A pure function of its arguments: at an equal number of threads of
    // one machine, equal arguments give bit-equal chunks. No tokens give no chunks. Throws
    // kArgument for a context of another length and for ids outside the vocabulary.
    virtual std::vector<EncodedChunk> encode_segment(std::span<const int32_t> context,
                                                     std::span<const int32_t> tokens) const = 0;
    virtual std::unique_ptr<Stream> new_stream() const = 0;
    // Numbers of the gate between the model's prediction and what is copied, as the package's
    // tensor `memory.copy` has them (reader/copy_gate.h); empty if there is none. Lives with the
    // engine.
    virtual std::span<const float> copy_numbers() const { return {}; }
    // How the model writes a conversation, as its files tell it (text::ChatTemplate); empty if they
    // do not. Lives with the engine.
    virtual std::string_view chat_template() const { return {}; }
};

}  // namespace rpt::engine
