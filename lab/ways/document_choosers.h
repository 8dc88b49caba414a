// Who else could choose the chunks of a document that is known to its end: yardsticks for the mass
// of pointer keys. None of them knows any space.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/engine/engine.h"
#include "core/reader/chunk_chooser.h"
#include "core/text/bm25.h"

namespace rpt::ways {

// By the words of the tokens that ask: BM25 over the document's chunks of m tokens. How rare a word
// is, the whole document says.
class WordChooser final : public reader::ChunkChooser {
  public:
    // `tokens`: of the document from the begin token on, as the session has them.
    WordChooser(std::vector<int32_t> tokens, size_t m);
    // The last 64 tokens before question.end ask; the model's K is not known, so options.k counts.
    std::vector<reader::Found> choose(const reader::ChunkQuestion& question,
                                      const reader::RetrieveOptions& options,
                                      const CallControl& control) const override;

  private:
    std::vector<int32_t> tokens_;
    std::unique_ptr<const text::Bm25> words_;
};

// An oracle: `chooser` asked with the pointer queries of the 64 tokens that are going to read what
// it chooses, in the place of those before.
class FutureChooser final : public reader::ChunkChooser {
  public:
    // `queries` [n, width] of the document's tokens, from the begin token on.
    FutureChooser(std::shared_ptr<const reader::ChunkChooser> chooser, std::vector<float> queries,
                  size_t width);
    std::vector<reader::Found> choose(const reader::ChunkQuestion& question,
                                      const reader::RetrieveOptions& options,
                                      const CallControl& control) const override;

  private:
    std::shared_ptr<const reader::ChunkChooser> chooser_;
    std::vector<float> queries_;
    size_t width_;
};

// Pointer queries [n, pointer_width] of all `tokens` of a document that is read without a memory.
std::vector<float> pointer_queries(const engine::Engine& engine, std::span<const int32_t> tokens);

// Any chunks, the same ones whenever the same place asks.
class RandomChooser final : public reader::ChunkChooser {
  public:
    explicit RandomChooser(uint64_t seed) : seed_(seed) {}
    std::vector<reader::Found> choose(const reader::ChunkQuestion& question,
                                      const reader::RetrieveOptions& options,
                                      const CallControl& control) const override;

  private:
    uint64_t seed_;
};

// Asks whom it is told to, for as many chunks as it is told; at first nobody, and then nothing is
// found. One thread at a time.
class TurnedChooser final : public reader::ChunkChooser {
  public:
    // `chooser` is borrowed until the next call; null: nobody. `k` 0: as the question says.
    void turn_to(const reader::ChunkChooser* chooser, uint32_t k) {
        chooser_ = chooser;
        k_ = k;
    }
    std::vector<reader::Found> choose(const reader::ChunkQuestion& question,
                                      const reader::RetrieveOptions& options,
                                      const CallControl& control) const override;

  private:
    const reader::ChunkChooser* chooser_ = nullptr;
    uint32_t k_ = 0;
};

}  // namespace rpt::ways
