// What a pretrained decoder costs at SmolLM2's shape, beside the bare products of its matrices: the
// same tokens through at::linear with every weight once, and nothing else. Ratios of `items`
// are shares of what products allow.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include <vector>

#include "tests/bench/frozen_model.h"

namespace {

using namespace rpt;
using bench::frozen_engine;
using bench::some_ids;

// `n` tokens through the matrices of layers [0, layers), and one through the output if wanted.
void multiply(const model::ModelWeights& w, int64_t layers, int64_t n, bool output) {
    const c10::InferenceMode guard;
    const int64_t d = w.embedding.size(1);
    const at::Tensor x = at::ones({n, d}), wide = at::ones({n, w.layers[0].ffn.out.size(1)});
    for (int64_t i = 0; i < layers; ++i) {
        const model::LayerWeights& layer = w.layers[static_cast<size_t>(i)];
        benchmark::DoNotOptimize(at::linear(x, layer.attention.qkv));
        benchmark::DoNotOptimize(at::linear(x, layer.attention.out));
        benchmark::DoNotOptimize(at::linear(x, layer.ffn.in));
        benchmark::DoNotOptimize(at::linear(wide, layer.ffn.out));
    }
    if (output) benchmark::DoNotOptimize(at::linear(x.narrow(0, 0, 1), w.embedding));
}

void products_of_a_block(benchmark::State& state) {
    const auto engine = frozen_engine();
    for (auto _ : state) multiply(engine->weights(), 30, 256, true);
    state.SetItemsProcessed(state.iterations() * 256);
}
BENCHMARK(products_of_a_block)->Unit(benchmark::kMillisecond)->UseRealTime();

// Block 3: the window is full, and the sink is seen.
void block(benchmark::State& state) {
    const auto engine = frozen_engine();
    const auto stream = engine->new_stream();
    const auto ids = some_ids(256);
    std::vector<float> logits(static_cast<size_t>(engine->config().vocab)), keys, queries;
    const auto read = [&] {
        for (const auto& chunk : stream->advance_lower(ids))
            stream->set_neighbours(chunk.index, {});
        stream->advance_upper(logits);
        stream->pointers(keys, queries);
    };
    for (int i = 0; i < 3; ++i) read();
    for (auto _ : state) read();
    state.SetItemsProcessed(state.iterations() * 256);
}
BENCHMARK(block)->Unit(benchmark::kMillisecond)->UseRealTime();

// A segment of 1,024 tokens needs the layers up to the pointers'.
void products_of_a_segment(benchmark::State& state) {
    const auto engine = frozen_engine();
    for (auto _ : state) multiply(engine->weights(), 28, 1024, false);
    state.SetItemsProcessed(state.iterations() * 1024);
}
BENCHMARK(products_of_a_segment)->Unit(benchmark::kMillisecond)->UseRealTime();

void segment(benchmark::State& state) {
    const auto engine = frozen_engine();
    const auto ids = some_ids(1024);
    for (auto _ : state) benchmark::DoNotOptimize(engine->encode_segment({}, ids));
    state.SetItemsProcessed(state.iterations() * 1024);
}
BENCHMARK(segment)->Unit(benchmark::kMillisecond)->UseRealTime();

void products_of_a_token(benchmark::State& state) {
    const auto engine = frozen_engine();
    for (auto _ : state) multiply(engine->weights(), 30, 1, true);
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(products_of_a_token)->Unit(benchmark::kMillisecond)->UseRealTime();

void token(benchmark::State& state) {
    const auto engine = frozen_engine();
    const auto stream = engine->new_stream();
    const auto ids = some_ids(256);
    std::vector<float> logits(static_cast<size_t>(engine->config().vocab));
    const auto read = [&](std::span<const int32_t> tokens) {
        for (const auto& chunk : stream->advance_lower(tokens))
            stream->set_neighbours(chunk.index, {});
        stream->advance_upper(logits);
    };
    for (int i = 0; i < 3; ++i) read(ids);
    for (auto _ : state) read(std::span(ids).first(1));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(token)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
