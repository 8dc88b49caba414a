// Speed of reading: tokens/s of ingest, prefill and decode at the shape of the shipped model, and
// for decode the share of what memory bandwidth allows.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/engine/model_cost.h"
#include "core/text/bpe_trainer.h"
#include "lab/engine/torch_factory.h"
#include "lab/network/rpt_model.h"

namespace {

using namespace rpt;

std::shared_ptr<const engine::Engine> shared_engine() {
    static const std::shared_ptr<const engine::Engine> engine = [] {
        model::ModelConfig c;  // d 256, 3 + 3 layers, vocabulary 8192
        c.cca_layers = {4, 5};
        const std::string path =
            (std::filesystem::temp_directory_path() / "rpt_engine_bench.safetensors").string();
        model::save_model(model::RptModel(c, 1), text::BpeTrainer().train(262)->to_json(), {},
                          path);
        auto opened = engine::open_torch_engine(path, {});
        std::filesystem::remove(path);
        return opened;
    }();
    return engine;
}

// One state per neighbour of a chunk: enough for two of them.
const std::vector<float>& some_states() {
    static const std::vector<float> states(64 * 256, 0.25f);
    return states;
}

void set_all(engine::Stream& stream, const std::vector<engine::EncodedChunk>& chunks) {
    const engine::Neighbour one{some_states(), some_states()};
    const std::vector<engine::Neighbour> two{one, one};
    for (const auto& chunk : chunks) stream.set_neighbours(chunk.index, two);
}

// The package that RPT_BENCH_MODEL names, or the model above.
std::shared_ptr<const engine::Engine> segment_engine() {
    const char* path = std::getenv("RPT_BENCH_MODEL");
    static const std::shared_ptr<const engine::Engine> engine =
        path != nullptr ? engine::open_torch_engine(path, {}) : shared_engine();
    return engine;
}

std::vector<int32_t> some_ids(size_t n) {
    std::vector<int32_t> ids(n);
    for (size_t i = 0; i < n; ++i) ids[i] = static_cast<int32_t>(i * 37 % 250);
    return ids;
}

// `range` tokens through the lower half of a stream block by block; the upper half runs over them
// too, as a stream wants it. So it is no more than a bound for
// the gain of one pass.
void segment_by_blocks(benchmark::State& state) {
    const auto engine = segment_engine();
    const auto ids = some_ids(static_cast<size_t>(state.range(0)));
    for (auto _ : state) {
        const auto stream = engine->new_stream();
        for (size_t at = 0; at < ids.size();) {
            const size_t n = std::min(stream->room(), ids.size() - at);
            for (const auto& chunk : stream->advance_lower(std::span(ids).subspan(at, n)))
                stream->set_neighbours(chunk.index, {});
            stream->advance_upper({});
            at += n;
        }
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(segment_by_blocks)->Arg(1024)->Arg(4096)->Unit(benchmark::kMillisecond)->UseRealTime();

// The lower half alone in one pass; then with two blocks of context before it.
void encode_segment(benchmark::State& state) {
    const auto engine = segment_engine();
    const auto ids = some_ids(static_cast<size_t>(state.range(0)));
    const auto context = some_ids(static_cast<size_t>(state.range(1) * engine->config().stride));
    for (auto _ : state) benchmark::DoNotOptimize(engine->encode_segment(context, ids));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encode_segment)
    ->Args({1024, 0})
    ->Args({4096, 0})
    ->Args({1024, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void prefill(benchmark::State& state) {
    const auto engine = shared_engine();
    const auto stream = engine->new_stream();
    const std::vector<int32_t> block(static_cast<size_t>(engine->config().stride), 5);
    std::vector<float> logits(static_cast<size_t>(engine->config().vocab));
    for (auto _ : state) {
        set_all(*stream, stream->advance_lower(block));
        stream->advance_upper(logits);
    }
    state.SetItemsProcessed(state.iterations() * engine->config().stride);
}
BENCHMARK(prefill)->Unit(benchmark::kMillisecond)->UseRealTime();

void decode(benchmark::State& state) {
    engine::set_torch_threads(static_cast<int>(state.range(0)));
    const auto engine = shared_engine();
    const auto stream = engine->new_stream();
    std::vector<float> logits(static_cast<size_t>(engine->config().vocab));
    const int32_t token = 5;
    for (auto _ : state) {
        set_all(*stream, stream->advance_lower({&token, 1}));
        stream->advance_upper(logits);
    }
    state.SetItemsProcessed(state.iterations());
    const double bytes = engine::decode_bytes_per_token(engine->config());
    const double rate = engine::TorchFactory().measure_machine(engine->config()).read_bytes;
    state.counters["bytes/s"] = benchmark::Counter(static_cast<double>(state.iterations()) * bytes,
                                                   benchmark::Counter::kIsRate);
    state.counters["machine_bytes/s"] = rate;
    engine::set_torch_threads(0);
}
BENCHMARK(decode)->Arg(1)->Arg(2)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
