#include "lab/engine/torch_stream.h"

#include <algorithm>
#include <cstring>

#include "lab/network/layers.h"
#include "lab/network/pointers.h"

namespace rpt::engine {
namespace {

constexpr int64_t kRowsAtOnce = 64;  // of logits that are handed out; SmolLM2's take 12 MiB

// Of a token's query among the 2m - 1 positions of its group (spec 1.13).
int64_t memory_position(int64_t token, int64_t m) {
    return m - 1 + (token + 1) % m;
}

[[noreturn]] void refuse(Status status, const std::string& text) {
    throw Error(status, "rpt", text);
}

class TorchCheckpoint final : public Checkpoint {
  public:
    explicit TorchCheckpoint(std::unique_ptr<const TorchStream> stream)
        : stream_(std::move(stream)) {}
    uint64_t position() const override { return stream_->position(); }
    const TorchStream& stream() const { return *stream_; }

  private:
    std::unique_ptr<const TorchStream> stream_;
};

}  // namespace

TorchStream::TorchStream(std::shared_ptr<const TorchEngine> engine) : engine_(std::move(engine)) {
    for (int64_t i = 0; i < engine_->config().layers(); ++i) {
        caches_.push_back(AttentionCache::make(engine_->config(), engine_->device()));
    }
}

size_t TorchStream::room() const {
    const int64_t s = engine_->config().stride;
    return static_cast<size_t>(s - position_ % s);
}

std::vector<EncodedChunk> TorchStream::advance_lower(std::span<const int32_t> tokens) {
    const model::ModelConfig& c = engine_->config();
    if (tokens.empty() || tokens.size() > room()) {
        refuse(Status::kArgument, "stream: " + std::to_string(tokens.size()) +
                                      " tokens given, 1 to " + std::to_string(room()) + " fit");
    }
    if (upper_due_)
        refuse(Status::kState, "stream: the upper half has not run over the last tokens");
    return run_torch([&] {
        const BlockPlace place = place_of(position_);
        // checks the ids before anything changes
        const at::Tensor ids = engine_->to_device(tokens);
        if (place.offset == 0 && position_ > 0) {
            for (AttentionCache& cache : caches_) cache.shift(c, engine_->rope());
        }
        const TokenStep* step = engine_->token_step();
        if (tokens.size() == 1 && step != nullptr) {
            low_ = at::empty({1, c.dim}, at::kFloat);
            pointed_ = at::empty({1, c.dim}, at::kFloat);
            step->lower(tokens[0], caches_, place, scratch_, low_.mutable_data_ptr<float>(),
                        pointed_.mutable_data_ptr<float>());
        } else {
            at::Tensor h = model::embed(c, engine_->weights(), ids);
            for (int64_t i = 0; i < c.n_lower; ++i) {
                const model::LayerWeights& layer =
                    engine_->weights().layers[static_cast<size_t>(i)];
                h = h + cached_attention(c, layer.attention, engine_->rope(), h,
                                         caches_[static_cast<size_t>(i)], place);
                h = h + model::feed_forward(c, layer.ffn, h);
                if (i + 1 == c.pointer_layer) pointed_ = h;
            }
            low_ = h;
        }
        position_ += static_cast<int64_t>(tokens.size());
        upper_due_ = true;
        open_.push_back({low_, c.points_low() ? pointed_ : at::Tensor()});
        open_tokens_ += low_.size(0);
        return close_chunks();
    });
}

std::vector<EncodedChunk> TorchStream::close_chunks() {
    const model::ModelConfig& c = engine_->config();
    const int64_t chunks = open_tokens_ / c.chunk;
    if (chunks == 0) return {};
    const auto join = [&](at::Tensor HalfTokens::*part) {
        std::vector<at::Tensor> pieces;
        for (const HalfTokens& open : open_) pieces.push_back(open.*part);
        return pieces[0].defined() ? at::cat(pieces, 0) : at::Tensor();
    };
    const at::Tensor low = join(&HalfTokens::low), pointed = join(&HalfTokens::pointed);
    const auto whole = [&](const at::Tensor& rows) {
        return rows.defined() ? rows.narrow(0, 0, chunks * c.chunk).view({chunks, c.chunk, c.dim})
                              : rows;
    };
    const auto rest = [&](const at::Tensor& rows) {
        return rows.defined() ? rows.narrow(0, chunks * c.chunk, open_tokens_) : rows;
    };
    open_tokens_ -= chunks * c.chunk;
    open_.clear();
    if (open_tokens_ > 0) open_.push_back({rest(low), rest(pointed)});
    const int64_t first = position_ / c.chunk - chunks;
    if (c.reads_neighbours()) {
        for (int64_t i = 0; i < chunks; ++i) closed_[first + i] = whole(low)[i];
    }
    std::vector<EncodedChunk> out =
        engine_->encode(whole(low), whole(pointed), chunks * c.chunk, static_cast<uint64_t>(first));
    for (EncodedChunk& chunk : out) chunk.pointers.clear();  // pointers() hands them out
    return out;
}

BlockPlace TorchStream::place_of(int64_t token) const {
    const int64_t s = engine_->config().stride;
    return {token / s, token % s};
}

// What a token reads: the memory of its chunk, null if it has none.
const ReadMemory* TorchStream::memory_of(int64_t token) const {
    const model::ModelConfig& c = engine_->config();
    const bool seam = !c.carry_neighbours && token % c.stride < c.chunk - 1;
    const int64_t u = model::cca_place(token, c.chunk).u;
    if (seam || (u < 0 && memory_.count(kOpeningChunk) == 0)) return nullptr;
    return &memory_.at(u);
}

template <typename F>
void TorchStream::for_groups(int64_t n, F f) const {
    const int64_t first = position_ - n, m = engine_->config().chunk;
    for (int64_t begin = 0; begin < n;) {
        // tokens of one group: until the next one whose successor opens a chunk
        const int64_t length = std::min(n - begin, m - (first + begin + 1) % m);
        f(begin, length);
        begin += length;
    }
}

at::Tensor TorchStream::read_memory(const model::CrossAttentionWeights& w, size_t cca_index,
                                    const at::Tensor& x) const {
    const model::ModelConfig& c = engine_->config();
    const int64_t n = x.size(0), first = position_ - n;
    std::vector<at::Tensor> parts;
    for_groups(n, [&](int64_t begin, int64_t length) {
        const int64_t token = first + begin;
        const at::Tensor part = x.narrow(0, begin, length);
        const ReadMemory* memory = memory_of(token);
        if (memory == nullptr) {
            parts.push_back(at::zeros_like(part));
        } else {
            const model::MemoryKv& kv = memory->cca[cca_index];
            const at::Tensor q =
                model::memory_queries(c, w, engine_->rope(), part, memory_position(token, c.chunk))
                    .unsqueeze(0);
            parts.push_back(at::linear(model::read_memory(q, kv)[0], w.out));
        }
    });
    return at::cat(parts, 0);
}

// Who among the last n tokens reads neighbours in an upper layer; empty if none does.
std::vector<Readers> TorchStream::readers_of(int64_t n, size_t layer) const {
    std::vector<Readers> readers;
    if (!engine_->config().passes_neighbours()) return readers;
    bool any = false;
    for_groups(n, [&](int64_t begin, int64_t length) {
        const ReadMemory* memory = memory_of(position_ - n + begin);
        const bool reads = memory != nullptr && !memory->far.empty();
        readers.push_back({length, reads ? &memory->far[layer] : nullptr});
        any = any || reads;
    });
    if (!any) readers.clear();
    return readers;
}

at::Tensor TorchStream::run_upper() {
    const model::ModelConfig& c = engine_->config();
    const BlockPlace place = place_of(position_ - low_.size(0));
    at::Tensor h = low_;
    size_t cca_index = 0;
    for (int64_t i = c.n_lower; i < c.layers(); ++i) {
        const model::LayerWeights& layer = engine_->weights().layers[static_cast<size_t>(i)];
        h = h + cached_attention(c, layer.attention, engine_->rope(), h,
                                 caches_[static_cast<size_t>(i)], place,
                                 readers_of(h.size(0), static_cast<size_t>(i - c.n_lower)));
        if (layer.cross) h = h + read_memory(*layer.cross, cca_index++, h);
        h = h + model::feed_forward(c, layer.ffn, h);
        if (i + 1 == c.pointer_layer) pointed_ = h;
    }
    return c.final_norm ? model::rms_norm(h, engine_->weights().final_norm, c.norm_eps) : h;
}

void TorchStream::begin_upper(std::span<float> last_logits) const {
    if (!upper_due_) refuse(Status::kState, "stream: no tokens wait for the upper half");
    if (!closed_.empty()) {
        refuse(Status::kState, "stream: chunk " + std::to_string(closed_.begin()->first) +
                                   " closed and got no neighbours; an empty list is an answer");
    }
    if (!last_logits.empty() &&
        last_logits.size() != static_cast<size_t>(engine_->config().vocab)) {
        refuse(Status::kArgument, "stream: room for " + std::to_string(last_logits.size()) +
                                      " logits, the model has " +
                                      std::to_string(engine_->config().vocab));
    }
}

void TorchStream::finish_upper() {
    upper_due_ = false;
    // the last chunk's neighbours are still read by the tokens of the chunk that is open
    while (memory_.size() > 1) memory_.erase(memory_.begin());
}

void TorchStream::write_logits(const at::Tensor& hidden, std::span<float> last_logits) const {
    if (last_logits.empty()) return;
    const at::Tensor logits =
        engine_->model().logits(hidden[hidden.size(0) - 1]).to(at::kCPU, at::kFloat).contiguous();
    std::memcpy(last_logits.data(), logits.const_data_ptr<float>(), last_logits.size_bytes());
}

// One token on the CPU takes the short way.
bool TorchStream::step_upper(std::span<float> last_logits) {
    const TokenStep* step = engine_->token_step();
    if (step == nullptr || low_.size(0) != 1) return false;
    const model::ModelConfig& c = engine_->config();
    const int64_t token = position_ - 1;
    step->upper(low_.const_data_ptr<float>(), caches_, place_of(token),
                c.reads_neighbours() ? memory_of(token) : nullptr, memory_position(token, c.chunk),
                scratch_, last_logits, pointed_.mutable_data_ptr<float>());
    return true;
}

void TorchStream::advance_upper(std::span<float> last_logits) {
    begin_upper(last_logits);
    run_torch([&] {
        if (!step_upper(last_logits)) write_logits(run_upper(), last_logits);
        finish_upper();
    });
}

void TorchStream::advance_upper_scored(std::span<const int32_t> next, std::span<float> log_probs,
                                       std::span<float> last_logits) {
    begin_upper(last_logits);
    if (static_cast<int64_t>(next.size()) != low_.size(0) || log_probs.size() != next.size()) {
        refuse(Status::kArgument, "stream: " + std::to_string(next.size()) +
                                      " tokens to score after " + std::to_string(low_.size(0)));
    }
    run_torch([&] {
        const at::Tensor targets = engine_->to_device(next);
        const at::Tensor hidden = run_upper();
        for (int64_t first = 0; first < hidden.size(0); first += kRowsAtOnce) {
            const int64_t n = std::min(kRowsAtOnce, hidden.size(0) - first);
            const at::Tensor logits =
                engine_->model().logits(hidden.narrow(0, first, n)).to(at::kFloat);
            const at::Tensor next_logits =
                logits.gather(1, targets.narrow(0, first, n).unsqueeze(1)).squeeze(1);
            const at::Tensor log_p =
                (next_logits - at::logsumexp(logits, 1)).to(at::kCPU).contiguous();
            std::memcpy(log_probs.data() + first, log_p.const_data_ptr<float>(), log_p.nbytes());
        }
        write_logits(hidden, last_logits);
        finish_upper();
    });
}

void TorchStream::advance_upper_rows(const RowSink& sink) {
    begin_upper({});
    const int64_t vocab = engine_->config().vocab;
    if (low_.size(0) == 1) {
        std::vector<float> row(static_cast<size_t>(vocab));
        advance_upper(row);
        sink(0, row);
        return;
    }
    const at::Tensor hidden = run_torch([&] {
        const at::Tensor out = run_upper();
        finish_upper();
        return out;
    });
    const int64_t n = hidden.size(0);
    for (int64_t first = 0; first < n; first += kRowsAtOnce) {
        const at::Tensor logits = run_torch([&] {
            return engine_->model()
                .logits(hidden.narrow(0, first, std::min(kRowsAtOnce, n - first)))
                .to(at::kCPU, at::kFloat)
                .contiguous();
        });
        sink(static_cast<size_t>(first),
             {logits.const_data_ptr<float>(), static_cast<size_t>(logits.numel())});
    }
}

void TorchStream::pointers(std::vector<float>& keys, std::vector<float>& queries) const {
    keys.clear();
    queries.clear();
    const auto& w = engine_->weights().pointer;
    if (!w || position_ == 0) return;
    if (upper_due_)
        refuse(Status::kState, "stream: the upper half has not run over the last tokens");
    run_torch([&] {
        // small products, and cosines of them are multiplied by T: never in bf16
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
        keys = to_floats(model::pointer_keys(*w, pointed_));
        queries = to_floats(model::pointer_queries(*w, pointed_));
    });
}

std::unique_ptr<TorchStream> TorchStream::copy() const {
    RPT_CHECK(!upper_due_);
    // everything but the caches is replaced, never written in place
    std::unique_ptr<TorchStream> copy(new TorchStream(*this));
    for (AttentionCache& cache : copy->caches_) cache = cache.clone();
    return copy;
}

std::unique_ptr<Stream> TorchStream::fork() const {
    return run_torch([&] { return std::unique_ptr<Stream>(copy()); });
}

std::shared_ptr<const Checkpoint> TorchStream::checkpoint() const {
    return run_torch([&] { return std::make_shared<const TorchCheckpoint>(copy()); });
}

void TorchStream::rewind(const Checkpoint& checkpoint) {
    const auto* place = dynamic_cast<const TorchCheckpoint*>(&checkpoint);
    RPT_CHECK(place != nullptr && place->stream().engine_ == engine_);
    run_torch([&] { *this = std::move(*place->stream().copy()); });
}

}  // namespace rpt::engine
