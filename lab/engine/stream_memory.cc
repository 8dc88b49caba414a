// What a stream makes of the neighbours that it is given.
#include <algorithm>

#include "lab/engine/torch_stream.h"
#include "lab/network/layers.h"
#include "lab/network/neighbours.h"

namespace rpt::engine {
namespace {

at::Tensor borrow(std::span<const float> values, int64_t dim) {
    return at::from_blob(const_cast<float*>(values.data()),
                         {static_cast<int64_t>(values.size()) / dim, dim}, at::kFloat);
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

}  // namespace

std::vector<NeighbourUse> TorchStream::set_neighbours(uint64_t chunk,
                                                      std::span<const Neighbour> neighbours) {
    const model::ModelConfig& c = engine_->config();
    std::vector<NeighbourUse> use(neighbours.size());
    if (!c.reads_neighbours()) return use;
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
    if (position_ > 0 || memory_.count(kOpeningChunk) != 0) {
        refuse(Status::kState, "stream: opening neighbours come once and before any token");
    }
    if (!c.reads_neighbours() || neighbours.empty())
        return std::vector<NeighbourUse>(neighbours.size());
    // no chunk asks yet: the neighbours are augmented by one another alone
    return make_memory(kOpeningChunk, neighbours,
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
        if (c.passes_neighbours()) {
            memory_[chunk] = pass_neighbours(neighbours);
            return use;
        }
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
        memory_[chunk] = {std::move(layers), {}};
        return use;
    });
}

// States become the residual stream that they were, chunk and successor one text.
ReadMemory TorchStream::pass_neighbours(std::span<const Neighbour> neighbours) const {
    const model::ModelConfig& c = engine_->config();
    std::vector<PassedNeighbour> each;
    for (const Neighbour& n : neighbours) {
        if (n.chunk.empty() && n.successor.empty()) continue;
        each.push_back(engine_->upper_memo().get(n, [&] {
            const at::Tensor states = at::cat({borrow(n.chunk, c.dim), borrow(n.successor, c.dim)});
            const at::Tensor text = states.to(engine_->device()) * engine_->weights().state_scale;
            return model::pass_neighbours(c, engine_->weights(), engine_->rope(),
                                          engine_->sink_state(), {text});
        }));
    }
    if (each.size() < 2) return {{}, each.empty() ? PassedNeighbour() : std::move(each[0])};
    ReadMemory memory;
    for (size_t layer = 0; layer < each[0].size(); ++layer) {
        std::vector<at::Tensor> k, v;
        for (const PassedNeighbour& one : each) {
            k.push_back(one[layer].k);
            v.push_back(one[layer].v);
        }
        memory.far.push_back({at::cat(k), at::cat(v)});
    }
    return memory;
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

}  // namespace rpt::engine
