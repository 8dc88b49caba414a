#include "lab/ways/rounded_states.h"

#include <utility>
#include <vector>

#include "storage/codec/state_codec.h"

namespace rpt::ways {
namespace {

std::vector<engine::EncodedChunk> rounded(std::vector<engine::EncodedChunk> chunks, int64_t dim) {
    for (engine::EncodedChunk& chunk : chunks) {
        const auto width = static_cast<uint32_t>(dim);
        chunk.states = storage::decode_states(
            storage::encode_states(chunk.states, width, storage::kDefaultStateCodec, 0), width,
            chunk.n_tokens);
    }
    return chunks;
}

class RoundedStream final : public engine::Stream {
  public:
    RoundedStream(std::unique_ptr<engine::Stream> stream, int64_t dim)
        : stream_(std::move(stream)), dim_(dim) {}

    uint64_t position() const override { return stream_->position(); }
    size_t room() const override { return stream_->room(); }
    std::vector<engine::EncodedChunk> advance_lower(std::span<const int32_t> tokens) override {
        return rounded(stream_->advance_lower(tokens), dim_);
    }
    std::vector<engine::NeighbourUse> set_neighbours(
        uint64_t chunk, std::span<const engine::Neighbour> neighbours) override {
        return stream_->set_neighbours(chunk, neighbours);
    }
    std::vector<engine::NeighbourUse> set_opening_neighbours(
        std::span<const engine::Neighbour> neighbours) override {
        return stream_->set_opening_neighbours(neighbours);
    }
    void advance_upper(std::span<float> last_logits) override {
        stream_->advance_upper(last_logits);
    }
    void advance_upper_scored(std::span<const int32_t> next, std::span<float> log_probs,
                              std::span<float> last_logits) override {
        stream_->advance_upper_scored(next, log_probs, last_logits);
    }
    void advance_upper_rows(const RowSink& sink) override { stream_->advance_upper_rows(sink); }
    void pointers(std::vector<float>& keys, std::vector<float>& queries) const override {
        stream_->pointers(keys, queries);
    }
    std::shared_ptr<const engine::Checkpoint> checkpoint() const override {
        return stream_->checkpoint();
    }
    void rewind(const engine::Checkpoint& checkpoint) override { stream_->rewind(checkpoint); }
    std::unique_ptr<engine::Stream> fork() const override {
        return std::make_unique<RoundedStream>(stream_->fork(), dim_);
    }

  private:
    std::unique_ptr<engine::Stream> stream_;
    int64_t dim_;
};

class RoundedEngine final : public engine::Engine {
  public:
    explicit RoundedEngine(std::shared_ptr<const engine::Engine> engine)
        : engine_(std::move(engine)) {}

    const model::ModelConfig& config() const override { return engine_->config(); }
    std::shared_ptr<const text::Tokenizer> tokenizer() const override {
        return engine_->tokenizer();
    }
    const Digest& fingerprint() const override { return engine_->fingerprint(); }
    uint64_t parameters() const override { return engine_->parameters(); }
    uint64_t weight_bytes() const override { return engine_->weight_bytes(); }
    std::vector<engine::EncodedChunk> encode_segment(
        std::span<const int32_t> context, std::span<const int32_t> tokens) const override {
        return rounded(engine_->encode_segment(context, tokens), config().dim);
    }
    std::unique_ptr<engine::Stream> new_stream() const override {
        return std::make_unique<RoundedStream>(engine_->new_stream(), config().dim);
    }
    std::span<const float> copy_numbers() const override { return engine_->copy_numbers(); }
    std::string_view chat_template() const override { return engine_->chat_template(); }

  private:
    std::shared_ptr<const engine::Engine> engine_;
};

}  // namespace

std::shared_ptr<const engine::Engine> with_rounded_states(
    std::shared_ptr<const engine::Engine> engine) {
    return std::make_shared<const RoundedEngine>(std::move(engine));
}

}  // namespace rpt::ways
