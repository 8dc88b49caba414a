// Speed of the network in training and in whole-document evaluation: tokens/s at the shape of the
// shipped model.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <benchmark/benchmark.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "lab/network/float_products.h"
#include "lab/network/rpt_model.h"
#include "lab/network/token_loss.h"

namespace {

using namespace rpt::model;

ModelConfig shape(bool memory) {
    ModelConfig c;
    c.vocab = 8192;
    c.dim = 256;
    c.n_lower = c.n_upper = 3;
    c.n_heads = c.n_kv_heads = 4;
    c.head_dim = 64;
    c.ffn_dim = 1024;
    c.chunk = 64;
    c.stride = 256;
    c.retrieval = memory ? RetrievalKind::kLambdaRank : RetrievalKind::kNone;
    if (memory) c.cca_layers = {4, 5};
    return c;
}

at::Tensor some_neighbours(const ModelConfig& c, int64_t batch, int64_t chunks) {
    at::Tensor n = at::full({batch, chunks, c.neighbours}, -1, at::kLong);
    for (int64_t i = 0; i < chunks; ++i) {
        const int64_t last = last_retrievable(c, i);
        if (last >= 0) n.select(1, i).random_(0, last + 1);
    }
    return n;
}

void train_step(benchmark::State& state, bool memory) {
    const ModelConfig c = shape(memory);
    const int64_t batch = state.range(0), length = state.range(1);
    const bool bf16 = state.range(2) != 0;
    use_fast_float_products();
    at::autocast::set_autocast_enabled(at::kCPU, bf16);
    RptModel model(c, 1);
    const at::Tensor tokens = at::randint(c.vocab, {batch, length}, at::kLong);
    const at::Tensor neighbours =
        memory ? some_neighbours(c, batch, length / c.chunk) : at::Tensor();
    for (auto _ : state) {
        const LowerOutput low = model.lower(tokens);
        model.token_nll(model.upper(low, neighbours), tokens).mean().backward();
        for (auto& [name, p] : model.parameters()) at::Tensor(p).mutable_grad().reset();
        at::autocast::clear_cache();
    }
    at::autocast::set_autocast_enabled(at::kCPU, false);
    state.SetItemsProcessed(state.iterations() * batch * length);
}

void train_with_memory(benchmark::State& state) {
    train_step(state, true);
}
void train_without_memory(benchmark::State& state) {
    train_step(state, false);
}
BENCHMARK(train_with_memory)
    ->Args({1, 2048, 0})
    ->Args({4, 2048, 0})
    ->Args({4, 2048, 1})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(train_without_memory)
    ->Args({4, 2048, 0})
    ->Args({4, 2048, 1})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// The loss of 4,096 tokens over 8,192 tokens of vocabulary and its gradients, one thread: width,
// rows of logits at a time (0: all at once, the twin).
void loss_and_gradients(benchmark::State& state) {
    const int64_t rows = state.range(1);
    use_fast_float_products();
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const at::Tensor hidden = at::randn({4096, state.range(0)}).requires_grad_(true);
    const at::Tensor output = at::randn({8192, state.range(0)}).mul_(0.1).requires_grad_(true);
    const at::Tensor targets = at::randint(8192, {4096}, at::kLong);
    for (auto _ : state) {
        const at::Tensor nll = rows > 0 ? token_loss(hidden, output, targets, 1.0, rows)
                                        : token_loss_slow(hidden, output, targets, 1.0);
        nll.mean().backward();
        hidden.mutable_grad().reset();
        output.mutable_grad().reset();
    }
    at::set_num_threads(threads);
    state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK(loss_and_gradients)
    ->ArgsProduct({{128, 256}, {0, 128, 256, 512, 1024}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void evaluate(benchmark::State& state) {
    const ModelConfig c = shape(true);
    const c10::NoGradGuard no_grad;
    RptModel model(c, 1);
    const at::Tensor tokens = at::randint(c.vocab, {1, 2048}, at::kLong);
    const at::Tensor neighbours = some_neighbours(c, 1, 2048 / c.chunk);
    for (auto _ : state) {
        benchmark::DoNotOptimize(
            model.token_nll(model.upper(model.lower(tokens), neighbours), tokens));
    }
    state.SetItemsProcessed(state.iterations() * 2048);
}
BENCHMARK(evaluate)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
