// Feeds a stream piece by piece: no piece reaches over a chunk's border, and a chunk that closes is
// given neighbours.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "core/reader/chunk_chooser.h"
#include "core/reader/memory_search.h"
#include "core/reader/own_past.h"
#include "core/reader/query_trail.h"
#include "core/reader/sequence.h"

namespace rpt::reader {

// What is asked beside the query of the chunk that ends at input position `end`.
struct Question {
    size_t end = 0;
    std::vector<float> query;
};

// Chunks are found by what was read just before (chunk_chooser.h), not by their keys.
struct ByMass {
    const ChunkChooser* chooser;
    const QueryTrail* queries;  // of all that the stream has read
    const OwnPointers* own;     // null: no own past
};

// How chunks that close get their neighbours.
struct MemoryUse {
    const RetrieveOptions* retrieve = nullptr;  // null: they get none
    bool tell = false;                          // fill ClosedChunk::hits
    // Of a context that is not the session's text in order: the last chunk of the own past that it
    // may find (negative: none), and its own chunks do not join that past. Unset: as the model's
    // window has it.
    std::optional<int64_t> own_last = std::nullopt;
    std::optional<Question> question = std::nullopt;
    // A piece then begins at the last token of a chunk, if not before: the first token that reads
    // what the chunk finds. So all tokens before it may ask, and however a text is cut the same
    // tokens do.
    std::optional<ByMass> by_mass = std::nullopt;
};

struct ClosedChunk {
    size_t end = 0;  // input position behind it
    bool searched = false;
    std::vector<RetrievedChunk> hits;  // in force for the m predictions from position end - 1 on
    std::vector<float> query;          // empty without a retriever
};

struct Piece {
    size_t begin = 0, end = 0;  // input positions
    std::vector<ClosedChunk> closed;
};

// Borrows everything. One thread at a time.
class ChunkFeeder {
  public:
    // `own` gets every chunk that closes; null: the session does not remember itself.
    ChunkFeeder(const engine::Engine& engine, storage::Store* store,
                std::span<const std::shared_ptr<storage::Space>> spaces, OwnPast* own);

    // Lower half over the positions from where the stream stands to `end`, the end of its block or
    // that of the piece, whichever is nearest; neighbours of the chunks that closed. The stream's
    // upper half must follow. After a failure the stream stands in between: drop it.
    Piece advance_lower(engine::Stream& stream, const Sequence& sequence, size_t end,
                        const MemoryUse& use, const CallControl& control) const;
    const MemorySearch& search() const { return search_; }

  private:
    // What the chunk reads; sorted, best first.
    std::vector<Found> find(const engine::EncodedChunk& chunk, size_t end, const MemoryUse& use,
                            const CallControl& control) const;

    const engine::Engine& engine_;
    MemorySearch search_;
    OwnPast* own_;
};

}  // namespace rpt::reader
