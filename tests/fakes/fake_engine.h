// A model without weights: every number is a hash of what the real one would depend on. Exact and
// fast, and it refuses what the engine's contract does not allow.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "core/engine/engine.h"
#include "core/engine/pooled_pointer.h"
#include "core/text/bpe_trainer.h"

namespace rpt::fakes {

inline uint64_t mix(uint64_t a, uint64_t b) {
    uint64_t x = a ^ (b + 0x9E3779B97F4A7C15u + (a << 6) + (a >> 2));
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

// n values in [-1, 1) that depend on `seed`; multiples of 1/256, exact in fp16.
inline std::vector<float> noise(uint64_t seed, size_t n) {
    std::vector<float> out(n);
    for (size_t i = 0; i < n; ++i) out[i] = float(int(mix(seed, i) % 512) - 256) / 256.0f;
    return out;
}

inline uint64_t hash_of(std::span<const float> values) {
    uint64_t h = values.size();
    for (float value : values) h = mix(h, std::bit_cast<uint32_t>(value));
    return h;
}

// Words, markup and a few scripts: enough for merges over several bytes.
inline std::shared_ptr<const text::Tokenizer> small_tokenizer() {
    text::BpeTrainer trainer;
    for (int i = 0; i < 4; ++i)
        trainer.add(
            "the chunk of the document reads what the reader wrote; the window moves on and the "
            "chunk "
            "leaves it. \\begin{align} x &= y \\\\ \\end{align} for (int i = 0; i < n; ++i) return "
            "i;\n\n"
            "stop here. Gr\xC3\xBC\xC3\x9F"
            "e aus K\xC3\xB6ln, \xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E \xF0\x9F\x98\x80\n");
    return trainer.train(360);
}

inline model::ModelConfig small_config(const text::Tokenizer& tokenizer) {
    model::ModelConfig config;
    config.vocab = tokenizer.vocab_size();
    config.dim = 16;
    config.n_lower = 1;
    config.n_upper = 1;
    config.n_heads = 2;
    config.n_kv_heads = 2;
    config.head_dim = 8;
    config.ffn_dim = 32;
    config.chunk = 4;
    config.stride = 16;
    config.neighbours = 2;
    config.cca_layers = {1};
    return config;
}

class FakeEngine : public engine::Engine {
  public:
    explicit FakeEngine(std::shared_ptr<const text::Tokenizer> tokenizer = small_tokenizer())
        : tokenizer_(std::move(tokenizer)), config_(small_config(*tokenizer_)) {
        fingerprint_.fill(7);
    }

    const model::ModelConfig& config() const override { return config_; }
    std::shared_ptr<const text::Tokenizer> tokenizer() const override { return tokenizer_; }
    const Digest& fingerprint() const override { return fingerprint_; }
    uint64_t parameters() const override { return 0; }
    uint64_t weight_bytes() const override { return 0; }
    std::unique_ptr<engine::Stream> new_stream() const override;
    std::vector<engine::EncodedChunk> encode_segment(
        std::span<const int32_t> context, std::span<const int32_t> tokens) const override;

    std::span<const float> copy_numbers() const override { return copy; }

    std::string_view chat_template() const override { return chat; }

    std::vector<float> copy;  // numbers of the gate
    std::string chat;         // form of a conversation
    // The token that is far the likeliest after these input positions; -1: none.
    std::function<int32_t(std::span<const int32_t> tokens)> script;
    // Counts down with every model call; the call that finds 1 throws kDevice. 0: never.
    mutable int calls_to_failure = 0;
    mutable uint64_t tokens_fed = 0;      // to streams
    mutable uint64_t tokens_encoded = 0;  // of segments, without their context
    // Every set of neighbours that a stream was given: chunk number and hash of its numbers.
    mutable std::vector<std::pair<uint64_t, std::vector<uint64_t>>> neighbours_set;

    model::ModelConfig& mutable_config() { return config_; }

    void count_call() const {
        if (calls_to_failure > 0 && --calls_to_failure == 0)
            throw Error(Status::kDevice, "fake", "fake: this call fails");
    }

    // Near to each other where the tokens are the same; `seed` tells keys from queries.
    void append_pointer(int32_t token, uint64_t hash, uint64_t seed,
                        std::vector<float>& out) const {
        if (!config_.has_pointers()) return;
        const size_t w = size_t(config_.pointer_width);
        std::vector<float> row = noise(mix(uint64_t(token), 0x706f696e74), w);
        const std::vector<float> order = noise(mix(hash, seed), w);
        for (size_t k = 0; k < w; ++k) row[k] += order[k] / 16;
        const std::vector<float> unit = engine::pooled_pointer(row, w);
        out.insert(out.end(), unit.begin(), unit.end());
    }
    static constexpr uint64_t kPointerKey = 1, kPointerQuery = 2;  // seeds

    // Keys and queries are near to each other where the tokens are the same; a little order goes in
    // too.
    engine::EncodedChunk chunk(uint64_t index, std::span<const int32_t> tokens,
                               std::span<const uint64_t> hashes) const {
        const size_t d = size_t(config_.dim);
        engine::EncodedChunk out;
        out.index = index;
        out.n_tokens = uint32_t(tokens.size());
        out.key.assign(d, 0);
        for (size_t i = 0; i < tokens.size(); ++i) {
            const std::vector<float> of_token = noise(uint64_t(tokens[i]), d),
                                     state = noise(hashes[i], d);
            for (size_t k = 0; k < d; ++k) out.key[k] += of_token[k];
            out.states.insert(out.states.end(), state.begin(), state.end());
        }
        out.query = out.key;
        const std::vector<float> order = noise(hashes.back(), d);
        for (size_t k = 0; k < d; ++k) out.key[k] += order[k] / 64;
        for (size_t i = 0; i < tokens.size(); ++i)
            append_pointer(tokens[i], hashes[i], kPointerKey, out.pointers);
        if (config_.retrieval == model::RetrievalKind::kPointer)
            out.key = out.query =
                engine::pooled_pointer(out.pointers, size_t(config_.pointer_width));
        return out;
    }

  private:
    std::shared_ptr<const text::Tokenizer> tokenizer_;
    model::ModelConfig config_;
    Digest fingerprint_{};
};

inline void promise(bool holds, const char* what) {
    if (!holds) throw Error(Status::kInternal, "fake", std::string("fake engine: ") + what);
}

inline std::vector<engine::EncodedChunk> FakeEngine::encode_segment(
    std::span<const int32_t> context, std::span<const int32_t> tokens) const {
    count_call();
    const size_t m = size_t(config_.chunk);
    promise(context.size() % m == 0, "a segment's context is whole chunks");
    tokens_encoded += tokens.size();
    uint64_t h = 1;
    for (int32_t token : context) h = mix(h, uint64_t(token));
    std::vector<uint64_t> hashes;
    for (int32_t token : tokens) hashes.push_back(h = mix(h, uint64_t(token)));
    std::vector<engine::EncodedChunk> out;
    for (size_t at = 0; at < tokens.size(); at += m) {
        const size_t n = std::min(m, tokens.size() - at);
        out.push_back(chunk(at / m, tokens.subspan(at, n), std::span(hashes).subspan(at, n)));
    }
    return out;
}

class FakeStream : public engine::Stream {
  public:
    explicit FakeStream(const FakeEngine& engine) : engine_(&engine) {}

    uint64_t position() const override { return tokens_.size(); }
    size_t room() const override {
        const size_t stride = size_t(engine_->config().stride);
        return stride - tokens_.size() % stride;
    }

    std::vector<engine::EncodedChunk> advance_lower(std::span<const int32_t> tokens) override {
        engine_->count_call();
        promise(upper_ == tokens_.size(), "advance_upper() is missing");
        promise(!tokens.empty() && tokens.size() <= room(), "more tokens than there is room for");
        const size_t m = size_t(engine_->config().chunk);
        engine_->tokens_fed += tokens.size();
        std::vector<engine::EncodedChunk> out;
        for (int32_t token : tokens) {
            hashes_.push_back(mix(hashes_.empty() ? 1 : hashes_.back(), uint64_t(token)));
            tokens_.push_back(token);
            if (tokens_.size() % m != 0) continue;
            const size_t begin = tokens_.size() - m;
            out.push_back(engine_->chunk(begin / m, std::span(tokens_).subspan(begin),
                                         std::span(hashes_).subspan(begin)));
            engine::EncodedChunk& closed = out.back();
            closed.pointers.clear();
            const model::ModelConfig& config = engine_->config();
            if (config.retrieval == model::RetrievalKind::kPointer &&
                config.pointer_layer > config.n_lower) {  // not known yet
                closed.key.clear();
                closed.query.clear();
            }
        }
        return out;
    }

    std::vector<engine::NeighbourUse> set_neighbours(
        uint64_t chunk, std::span<const engine::Neighbour> neighbours) override {
        const size_t m = size_t(engine_->config().chunk);
        promise(chunk == sets_.size() && (chunk + 1) * m <= tokens_.size(),
                "neighbours out of order");
        sets_.push_back(0);
        return note(chunk, neighbours, sets_.back());
    }

    std::vector<engine::NeighbourUse> set_opening_neighbours(
        std::span<const engine::Neighbour> neighbours) override {
        promise(tokens_.empty() && opening_ == 0, "opening neighbours come first and once");
        return note(UINT64_MAX, neighbours, opening_);
    }

    void advance_upper(std::span<float> last_logits) override {
        run_upper({}, {}, last_logits, nullptr);
    }
    void advance_upper_scored(std::span<const int32_t> next, std::span<float> log_probs,
                              std::span<float> last_logits) override {
        promise(next.size() == tokens_.size() - upper_ && log_probs.size() == next.size(),
                "one next token for each token");
        run_upper(next, log_probs, last_logits, nullptr);
    }
    void advance_upper_rows(const RowSink& sink) override { run_upper({}, {}, {}, &sink); }
    void pointers(std::vector<float>& keys, std::vector<float>& queries) const override {
        promise(upper_ == tokens_.size(), "pointers() between the halves");
        keys.clear();
        queries.clear();
        for (size_t i = advanced_from_; i < upper_; ++i) {
            engine_->append_pointer(tokens_[i], hashes_[i], FakeEngine::kPointerKey, keys);
            engine_->append_pointer(tokens_[i], hashes_[i], FakeEngine::kPointerQuery, queries);
        }
    }
    std::shared_ptr<const engine::Checkpoint> checkpoint() const override;
    void rewind(const engine::Checkpoint& checkpoint) override;
    std::unique_ptr<engine::Stream> fork() const override {
        promise(upper_ == tokens_.size(), "fork() between the halves");
        return std::make_unique<FakeStream>(*this);
    }

  private:
    std::vector<engine::NeighbourUse> note(uint64_t chunk,
                                           std::span<const engine::Neighbour> neighbours,
                                           uint64_t& h) {
        engine_->count_call();
        const size_t m = size_t(engine_->config().chunk), d = size_t(engine_->config().dim);
        std::vector<engine::NeighbourUse> uses;
        std::vector<uint64_t> each;
        for (const engine::Neighbour& neighbour : neighbours) {
            promise(!neighbour.chunk.empty() && neighbour.chunk.size() % d == 0 &&
                        neighbour.chunk.size() <= m * d,
                    "a neighbour's states have a wrong size");
            promise(neighbour.successor.size() % d == 0 && neighbour.successor.size() <= m * d,
                    "a successor's states have a wrong size");
            each.push_back(mix(hash_of(neighbour.chunk), hash_of(neighbour.successor)));
            h = mix(h, each.back());
            uses.push_back({float(each.back() % 1000) / 1000.0f});
        }
        engine_->neighbours_set.emplace_back(chunk, each);
        return uses;
    }

    void run_upper(std::span<const int32_t> next, std::span<float> log_probs, std::span<float> last,
                   const RowSink* sink) {
        engine_->count_call();
        const size_t m = size_t(engine_->config().chunk), vocab = size_t(engine_->config().vocab);
        promise(sets_.size() == tokens_.size() / m, "set_neighbours() is missing");
        const size_t begin = advanced_from_ = upper_;
        promise(begin < tokens_.size(), "advance_lower() is missing");
        std::vector<std::vector<float>> rows;
        promise(last.empty() || last.size() == vocab, "logits are [vocab]");
        for (; upper_ < tokens_.size(); ++upper_) {
            // Neighbours of chunk u are in force from its last token on, for m tokens.
            const size_t closed = (upper_ + 1) / m;
            history_ =
                mix(mix(history_, hashes_[upper_]), closed == 0 ? opening_ : sets_[closed - 1]);
            const bool is_last = upper_ + 1 == tokens_.size();
            if (next.empty() && !is_last && sink == nullptr) continue;
            const std::vector<float> logits = logits_at(upper_);
            if (sink != nullptr) rows.push_back(logits);
            if (!next.empty()) {
                double sum = 0;
                for (float logit : logits) sum += std::exp(double(logit));
                const size_t i = upper_ - begin;
                log_probs[i] = float(double(logits[size_t(next[i])]) - std::log(sum));
            }
            if (is_last && !last.empty()) std::copy(logits.begin(), logits.end(), last.begin());
        }
        for (size_t i = 0; i < rows.size(); ++i) (*sink)(i, rows[i]);
    }
    std::vector<float> logits_at(size_t position) const {
        std::vector<float> logits = noise(history_, size_t(engine_->config().vocab));
        for (size_t id = 0; id < logits.size(); ++id)  // break ties of the coarse noise
            logits[id] = 4 * logits[id] + float(mix(history_ + 1, id) % 1024) / 65536.0f;
        if (engine_->script) {
            const int32_t id = engine_->script(std::span(tokens_).first(position + 1));
            if (id >= 0) logits[size_t(id)] = 50;
        }
        return logits;
    }

    struct FakeCheckpoint;

    const FakeEngine* engine_;
    std::vector<int32_t> tokens_;
    std::vector<uint64_t> hashes_;
    std::vector<uint64_t> sets_;  // of neighbours, one a closed chunk
    uint64_t opening_ = 0;
    uint64_t history_ = 3;
    size_t upper_ = 0;
    size_t advanced_from_ = 0;  // the first token of the last advance_upper*()
};

struct FakeStream::FakeCheckpoint : engine::Checkpoint {
    explicit FakeCheckpoint(const FakeStream& of) : stream(of) {}
    uint64_t position() const override { return stream.position(); }
    const FakeStream stream;
};

inline std::shared_ptr<const engine::Checkpoint> FakeStream::checkpoint() const {
    promise(upper_ == tokens_.size(), "checkpoint() between the halves");
    return std::make_shared<FakeCheckpoint>(*this);
}

inline void FakeStream::rewind(const engine::Checkpoint& checkpoint) {
    const auto& place = dynamic_cast<const FakeCheckpoint&>(checkpoint);
    promise(place.stream.engine_ == engine_, "a checkpoint of another engine");
    *this = place.stream;
}

inline std::unique_ptr<engine::Stream> FakeEngine::new_stream() const {
    return std::make_unique<FakeStream>(*this);
}

}  // namespace rpt::fakes
