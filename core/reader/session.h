// A reader's context over a model and some spaces: read, continue, score.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "core/model/reading.h"
#include "core/reader/chat_prompt.h"
#include "core/reader/retrieval.h"
#include "storage/store.h"

namespace rpt::reader {

class ChunkChooser;

using model::kReadCca, model::kReadCopy, model::kReadUpper, model::kReadText, model::kReadKnown;
// The ways to read that the model's package names, or else those that the model is made for.
uint32_t reading_of(const model::ModelConfig& config);

struct SessionOptions {
    bool self_memory =
        true;  // chunks that left the window stay retrievable, in memory, for this session alone
    RetrieveOptions retrieve;  // for read() and score(); its k (0: the model's) for all other calls
    uint32_t reading = 0;      // kRead*, summed; 0: reading_of() the model
    // Of the chunks for `upper` and `text`; null: by the mass of pointer keys (mass_search.h).
    std::shared_ptr<const ChunkChooser> chooser;
};

enum class Finish { kNone = 0, kStop = 1, kEos = 2, kLength = 3, kHost = 4 };

struct GenerateOptions {
    bool no_memory = false;
    uint32_t max_tokens = 256;
    uint32_t top_k = 0;     // 0: off
    float temperature = 0;  // 0: greedy
    float top_p = 0;        // 0: off
    float repeat_penalty =
        0;  // 0: off; divides positive and multiplies negative logits of recent tokens
    uint32_t repeat_window = 64;
    uint64_t seed =
        0;  // 0: must have been replaced by the caller (core knows no randomness of its own)
    std::vector<std::string> stop;
    RetrieveOptions retrieve;
    // What follows the gap that is to be filled (gap_context.h); empty: the text is continued.
    std::string suffix;
    // The conversation that is answered (chat_prompt.h), aside of the session; no suffix then.
    std::optional<ChatRequest> chat;
};

struct GenerateResult {
    Finish finish = Finish::kNone;
    uint32_t stop_index = 0;  // which stop string
    uint32_t retrievals = 0;
    uint64_t tokens = 0, bytes = 0;
    int64_t first_token_us = 0, total_us = 0;
    uint32_t chat_turns = 0, chat_notes = 0;  // that the prompt held
};

struct GenerateEvent {
    enum class Type { kText, kHits } type = Type::kText;
    std::string_view text;  // whole code points, never part of a stop string that completes
    const std::vector<RetrievedChunk>* hits = nullptr;  // precede the first text that used them
    uint64_t at_token = 0;                              // tokens generated before this event
};
// 0 go on, > 0 stop politely, < 0 fail with kCallback.
using GenerateSink = std::function<int32_t(const GenerateEvent&)>;

struct Score {
    uint64_t tokens = 0, bytes = 0;
    double nats = 0;
    uint32_t retrievals = 0;
};
// For `score --by-chunk`: one for each chunk that has tokens of the scored text, the unfinished
// last one included, so that tokens and nats add up to the whole. `hits` shaped the predictions of
// these tokens: the chunk before asked for them, or they were copied from (RetrievedChunk::copied).
// Bytes are the session's, as far as they belong to
// the scored text.
struct ScoredChunk {
    ByteSpan bytes;
    uint64_t tokens = 0;
    double nats = 0;
    const std::vector<RetrievedChunk>* hits = nullptr;
};

// One thread at a time. Keeps engine, store and spaces alive.
//
// Reading feeds the model whole blocks; the rest, up to the tail whose tokens could still change,
// is fed when something is asked, on a copy, and the last whole chunk with the options of the
// question. So results depend on the text alone, not on how it was cut into reads, and memory
// options of the question govern the chunk that asks.
class Session {
  public:
    // `store` may be null when `spaces` is empty. kUnsupported if the tokenizer has no begin token,
    // or the model lacks what a way of reading needs.
    Session(std::shared_ptr<const engine::Engine> engine, std::shared_ptr<storage::Store> store,
            std::vector<std::shared_ptr<storage::Space>> spaces, const SessionOptions& options);
    ~Session();

    // Feeds context; a cut code point waits for the next read. Invalid UTF-8 throws kUtf8 with the
    // session's offset and nothing is taken. On cancel or failure the session holds what offset()
    // tells: whole slices of some KiB.
    void read(std::string_view bytes, const CallControl& control = {});
    // Forgets everything after a byte offset (<= offset(), on a code point, else kArgument): cheap
    // near the end, otherwise reads again from the nearest checkpoint. Afterwards the session is as
    // if it had never read further; also after a cancel, which only leaves the reading again to the
    // next call.
    void rewind(uint64_t byte_offset, const CallControl& control = {});
    uint64_t offset() const;
    // From now on the session reads in these ways alone, some of those that it was made for (0: all
    // of them), whatever it has read before. kArgument for another way.
    void choose_reading(uint32_t reading);
    // Continues. Afterwards, however it ended, the session contains exactly what was delivered:
    // what the sink was called with. kUtf8 while a cut code point waits. A code point that the
    // model left unfinished at the end is not delivered; bytes that are no UTF-8 are delivered as
    // U+FFFD. Of several stop strings the one that is complete first wins. HITS events come when
    // what is in force changes, also to nothing. What was copied is known when it is written: an
    // event of its own, whose hits have `copied`, comes behind the text, and its at_token tells
    // from where. With a suffix: kUnsupported if the tokenizer lacks
    // the tokens around a gap, kUtf8 for invalid text. With a conversation the session stays as it
    // is; its past and its spaces are what is retrieved from. Fails as chat_prompt() does.
    // `result` is filled however it ends.
    void generate(const GenerateOptions& options, const GenerateSink& sink, GenerateResult& result,
                  const CallControl& control = {});
    // The same, for who needs no figures of a failure.
    GenerateResult generate(const GenerateOptions& options, const GenerateSink& sink,
                            const CallControl& control = {});
    // What a continuation from here begins with: found by the last whole chunk (the unfinished one
    // if there is none) and by the last tokens (docs/reading.md). kArgument for an empty session,
    // kUnsupported for a model without a retriever.
    std::vector<RetrievedChunk> retrieve(const RetrieveOptions& options,
                                         const CallControl& control = {});
    // Negative log-likelihood of `text` after the session's content, both encoded as one text; the
    // session is unchanged. A token counts if it ends inside `text`, also if it begins in the
    // context's last bytes. With `no_memory` the chunks from the context's last whole one on have
    // no neighbours. kUtf8 while a cut code point waits or for invalid text. score(a + b) =
    // score(a) + score(b after a) when the cut is a token border, unless the session reads `text`:
    // then each call pastes what its own context asks for.
    Score score(std::string_view text, bool no_memory, const CallControl& control = {},
                const std::function<void(const ScoredChunk&)>& by_chunk = {});

    struct Impl;

  private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace rpt::reader
