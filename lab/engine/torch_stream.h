// Both halves over one sequence, for any number of tokens at a time.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "lab/engine/attention_cache.h"
#include "lab/engine/torch_engine.h"
#include "lab/network/cross_attention.h"

namespace rpt::engine {

// The chunk before the first one, whose neighbours the first tokens read.
constexpr int64_t kOpeningChunk = -1;

class TorchStream final : public Stream {
  public:
    explicit TorchStream(std::shared_ptr<const TorchEngine> engine);

    uint64_t position() const override { return static_cast<uint64_t>(position_); }
    size_t room() const override;
    std::vector<EncodedChunk> advance_lower(std::span<const int32_t> tokens) override;
    std::vector<NeighbourUse> set_neighbours(uint64_t chunk,
                                             std::span<const Neighbour> neighbours) override;
    std::vector<NeighbourUse> set_opening_neighbours(
        std::span<const Neighbour> neighbours) override;
    void advance_upper(std::span<float> last_logits) override;
    void advance_upper_scored(std::span<const int32_t> next, std::span<float> log_probs,
                              std::span<float> last_logits) override;
    void advance_upper_rows(const RowSink& sink) override;
    void pointers(std::vector<float>& keys, std::vector<float>& queries) const override;
    std::shared_ptr<const Checkpoint> checkpoint() const override;
    void rewind(const Checkpoint& checkpoint) override;
    std::unique_ptr<Stream> fork() const override;

  private:
    TorchStream(const TorchStream&) = default;
    TorchStream& operator=(TorchStream&&) = default;
    // The whole state copied.
    std::unique_ptr<TorchStream> copy() const;

    std::vector<EncodedChunk> close_chunks();
    // The upper half over low_; [n, d], normed.
    at::Tensor run_upper();
    at::Tensor read_memory(const model::CrossAttentionWeights& w, size_t cca_index,
                           const at::Tensor& x) const;
    at::Tensor gate_of(const model::Neighbours& n);
    void write_logits(const at::Tensor& hidden, std::span<float> last_logits) const;
    void finish_upper();
    void begin_upper(std::span<float> last_logits) const;
    bool step_upper(std::span<float> last_logits);
    BlockPlace place_of(int64_t token) const;
    // Keys and values of these neighbours for the tokens that read chunk `chunk`'s; `asking` [n, d]
    // is that chunk.
    std::vector<NeighbourUse> make_memory(int64_t chunk, std::span<const Neighbour> neighbours,
                                          const at::Tensor& asking);
    std::vector<Readers> readers_of(int64_t n, size_t layer) const;
    ReadMemory pass_neighbours(std::span<const Neighbour> neighbours) const;
    const ReadMemory* memory_of(int64_t token) const;
    // Calls f(begin, length) for each run of the last tokens that read the same memory.
    template <typename F>
    void for_groups(int64_t n, F f) const;

    std::shared_ptr<const TorchEngine> engine_;
    std::vector<AttentionCache> caches_;  // of all layers
    int64_t position_ = 0;                // tokens through the lower half
    bool upper_due_ = false;              // low_ waits for advance_upper()
    at::Tensor low_;                      // h_low of the last advance_lower() [n, d]
    at::Tensor pointed_;                  // of the same tokens, after pointer_layer layers
    // Tokens of the chunk that is not closed yet, in pieces [n_i, d]: h_low, and the stream that
    // pointers are made of where the lower half has it.
    struct HalfTokens {
        at::Tensor low, pointed;
    };
    std::vector<HalfTokens> open_;
    int64_t open_tokens_ = 0;
    std::map<int64_t, at::Tensor> closed_;  // h_low [m, d] of chunks that wait for their neighbours
    std::map<int64_t, ReadMemory> memory_;  // of each chunk that tokens still to come may read
    std::deque<at::Tensor>
        pooled_;  // neighbours [K_i, d] of the last gate_horizon chunks, before gating
    StepScratch scratch_;
};

}  // namespace rpt::engine
