#include "lab/engine/torch_stream.h"

#include <algorithm>
#include <cstring>

#include "lab/network/layers.h"
#include "lab/network/neighbours.h"
#include "lab/network/pointers.h"
#include "lab/network/token_loss.h"

namespace rpt::engine {
namespace {

at::Tensor borrow(std::span<const float> values, int64_t dim) {
    return at::from_blob(const_cast<float*>(values.data()),
                         {static_cast<int64_t>(values.size()) / dim, dim}, at::kFloat);
}

constexpr int64_t kRowsAtOnce = 64;  // of logits that are handed out; SmolLM2's take 12 MiB

constexpr int64_t kOpening =
    -1;  // the chunk before the first one, whose neighbours the first tokens read

// Of a token's query among the 2m - 1 positions of its group (spec 1.13).
int64_t memory_position(int64_t token, int64_t m) {
    return m - 1 + (token + 1) % m;
}

// `counted` [1, K]: what each neighbour counts for.
void tell(const at::Tensor& counted, std::vector<NeighbourUse>& use) {
    const at::Tensor on_host = counted.to(at::kCPU, at::kFloat).contiguous();
    const float* values = on_host.const_data_ptr<float>();
    for (size_t i = 0; i < use.size(); ++i) use[i].gate = values[i];
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
    if (c.has_cca()) {
        for (int64_t i = 0; i < chunks; ++i) closed_[first + i] = whole(low)[i];
    }
    std::vector<EncodedChunk> out =
        engine_->encode(whole(low), whole(pointed), chunks * c.chunk, static_cast<uint64_t>(first));
    for (EncodedChunk& chunk : out) chunk.pointers.clear();  // pointers() hands them out
    return out;
}

std::vector<NeighbourUse> TorchStream::set_neighbours(uint64_t chunk,
                                                      std::span<const Neighbour> neighbours) {
    const model::ModelConfig& c = engine_->config();
    std::vector<NeighbourUse> use(neighbours.size());
    if (!c.has_cca()) return use;
    const auto asking = closed_.find(static_cast<int64_t>(chunk));
    if (asking == closed_.end() || asking != closed_.begin()) {
        refuse(Status::kState, "stream: chunk " + std::to_string(chunk) +
                                   " does not wait for neighbours, or not as the next one");
    }
    use = make_memory(static_cast<int64_t>(chunk), neighbours, asking->second);
    closed_.erase(asking);
    return use;
}

std::vector<NeighbourUse> TorchStream::set_opening_neighbours(
    std::span<const Neighbour> neighbours) {
    const model::ModelConfig& c = engine_->config();
    if (position_ > 0 || memory_.count(kOpening) != 0) {
        refuse(Status::kState, "stream: opening neighbours come once and before any token");
    }
    if (!c.has_cca() || neighbours.empty()) return std::vector<NeighbourUse>(neighbours.size());
    // no chunk asks yet: the neighbours are augmented by one another alone
    return make_memory(kOpening, neighbours,
                       at::empty({0, c.dim}, at::kFloat).to(engine_->device()));
}

std::vector<NeighbourUse> TorchStream::make_memory(int64_t chunk,
                                                   std::span<const Neighbour> neighbours,
                                                   const at::Tensor& asking) {
    const model::ModelConfig& c = engine_->config();
    const int64_t m = c.chunk, k = static_cast<int64_t>(neighbours.size());
    std::vector<NeighbourUse> use(neighbours.size());
    for (const Neighbour& n : neighbours) {
        for (const auto& states : {n.chunk, n.successor}) {
            if (states.size() % static_cast<size_t>(c.dim) != 0 ||
                states.size() > static_cast<size_t>(m * c.dim)) {
                refuse(Status::kArgument, "stream: a neighbour has " +
                                              std::to_string(states.size()) +
                                              " numbers, not rows of " + std::to_string(c.dim));
            }
        }
    }
    return run_torch([&] {
        std::vector<model::MemoryKv> layers;
        at::Tensor multiplier;
        model::MemoryUse memory_use;
        model::Neighbours n;
        if (k > 0) {
            n.states = at::zeros({1, k, 2 * m, c.dim}, at::kFloat);
            n.present = at::zeros({1, k, 2 * m}, at::kBool);
            for (int64_t i = 0; i < k; ++i) {
                int64_t begin = 0;
                for (const auto& states : {neighbours[static_cast<size_t>(i)].chunk,
                                           neighbours[static_cast<size_t>(i)].successor}) {
                    const at::Tensor rows = borrow(states, c.dim);
                    n.states[0][i].narrow(0, begin, rows.size(0)).copy_(rows);
                    n.present[0][i].narrow(0, begin, rows.size(0)).fill_(true);
                    begin += m;
                }
            }
            n.states = n.states.to(engine_->device());
            n.present = n.present.to(engine_->device());
            if (c.augment) {
                n.states = model::augment_neighbours(c, engine_->weights(), engine_->rope(), n,
                                                     asking.unsqueeze(0));
            }
            at::Tensor scores, null_score;
            if (c.scores_weigh()) {
                scores = at::empty({1, k}, at::kFloat);
                float* of = scores.mutable_data_ptr<float>();
                for (const Neighbour& neighbour : neighbours) *of++ = neighbour.score;
                scores = scores.to(engine_->device());
                null_score = engine_->weights().retriever->null_score;
            }
            memory_use = model::use_of_memory(c, n.present, scores, null_score);
            if (memory_use.weights.defined()) tell(memory_use.weights, use);
        }
        if (c.has_gate()) {
            const at::Tensor scores = gate_of(n);
            if (k > 0) {
                multiplier = model::gate_multiplier(c, scores);
                if (!multiplier.defined()) {
                    n.states =
                        n.states + scores.view({1, k, 1, 1}) * engine_->weights().gate->direction;
                }
                tell(multiplier.defined() ? multiplier : scores, use);
            }
        }
        for (const int64_t layer : c.cca_layers) {
            const auto& w = *engine_->weights().layers[static_cast<size_t>(layer)].cross;
            model::MemoryKv kv =
                k > 0 ? model::project_memory(c, w, engine_->rope(), n, multiplier, memory_use)
                      : model::null_memory(c, w, 1);
            layers.push_back({kv.k.contiguous(), kv.v.contiguous(), kv.mask, kv.weights});
        }
        memory_[chunk] = std::move(layers);
        return use;
    });
}

// Remembers the pooled neighbours of this chunk and scores them in sight of those of the chunks
// before: [1, K].
at::Tensor TorchStream::gate_of(const model::Neighbours& n) {
    const model::ModelConfig& c = engine_->config();
    const auto options = at::TensorOptions().dtype(at::kFloat).device(engine_->device());
    pooled_.push_back(n.states.defined() ? model::pool_neighbours(n)[0]
                                         : at::empty({0, c.dim}, options));
    if (static_cast<int64_t>(pooled_.size()) > c.gate_horizon) pooled_.pop_front();
    const int64_t k = pooled_.back().size(0);
    if (k == 0) return {};
    int64_t widest = 0;
    for (const at::Tensor& p : pooled_) widest = std::max(widest, p.size(0));
    const int64_t chunks = static_cast<int64_t>(pooled_.size());
    const at::Tensor all = at::zeros({1, chunks, widest, c.dim}, options);
    const at::Tensor valid = at::zeros({1, chunks, widest}, options.dtype(at::kBool));
    for (int64_t i = 0; i < chunks; ++i) {
        const at::Tensor& p = pooled_[static_cast<size_t>(i)];
        all[0][i].narrow(0, 0, p.size(0)).copy_(p);
        valid[0][i].narrow(0, 0, p.size(0)).fill_(true);
    }
    return model::gate_scores(c, *engine_->weights().gate, all, valid, 1)[0].narrow(1, 0, k);
}

BlockPlace TorchStream::place_of(int64_t token) const {
    const int64_t s = engine_->config().stride;
    return {token / s, token % s};
}

// What a token reads: the memory of its chunk, null if it has none.
const std::vector<model::MemoryKv>* TorchStream::memory_of(int64_t token) const {
    const model::ModelConfig& c = engine_->config();
    const bool seam = !c.carry_neighbours && token % c.stride < c.chunk - 1;
    const int64_t u = model::cca_place(token, c.chunk).u;
    if (seam || (u < 0 && memory_.count(kOpening) == 0)) return nullptr;
    return &memory_.at(u);
}

at::Tensor TorchStream::read_memory(const model::CrossAttentionWeights& w, size_t cca_index,
                                    const at::Tensor& x) const {
    const model::ModelConfig& c = engine_->config();
    const int64_t n = x.size(0), first = position_ - n;
    std::vector<at::Tensor> parts;
    for (int64_t begin = 0; begin < n;) {
        const int64_t token = first + begin;
        // tokens of one group: until the next one whose successor opens a chunk
        const int64_t length = std::min(n - begin, c.chunk - (token + 1) % c.chunk);
        const at::Tensor part = x.narrow(0, begin, length);
        const std::vector<model::MemoryKv>* memory = memory_of(token);
        if (memory == nullptr) {
            parts.push_back(at::zeros_like(part));
        } else {
            const model::MemoryKv& kv = (*memory)[cca_index];
            const at::Tensor q =
                model::memory_queries(c, w, engine_->rope(), part, memory_position(token, c.chunk))
                    .unsqueeze(0);
            parts.push_back(at::linear(model::read_memory(q, kv)[0], w.out));
        }
        begin += length;
    }
    return at::cat(parts, 0);
}

at::Tensor TorchStream::run_upper() {
    const model::ModelConfig& c = engine_->config();
    const BlockPlace place = place_of(position_ - low_.size(0));
    at::Tensor h = low_;
    size_t cca_index = 0;
    for (int64_t i = c.n_lower; i < c.layers(); ++i) {
        const model::LayerWeights& layer = engine_->weights().layers[static_cast<size_t>(i)];
        h = h + cached_attention(c, layer.attention, engine_->rope(), h,
                                 caches_[static_cast<size_t>(i)], place);
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
        engine_->model().logits(hidden[hidden.size(0) - 1]).to(at::kCPU).contiguous();
    std::memcpy(last_logits.data(), logits.const_data_ptr<float>(), last_logits.size_bytes());
}

// One token on the CPU takes the short way.
bool TorchStream::step_upper(std::span<float> last_logits) {
    const TokenStep* step = engine_->token_step();
    if (step == nullptr || low_.size(0) != 1) return false;
    const model::ModelConfig& c = engine_->config();
    const int64_t token = position_ - 1;
    step->upper(low_.const_data_ptr<float>(), caches_, place_of(token),
                c.has_cca() ? memory_of(token) : nullptr, memory_position(token, c.chunk), scratch_,
                last_logits, pointed_.mutable_data_ptr<float>());
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
        const at::Tensor nll =
            engine_->model().token_nll(hidden, targets).to(at::kCPU).contiguous();
        const float* p = nll.const_data_ptr<float>();
        for (size_t i = 0; i < log_probs.size(); ++i) log_probs[i] = -p[i];
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
                .to(at::kCPU)
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
