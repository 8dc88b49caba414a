// Speed of the codecs of states: chunks of 64 tokens of 256 values a second, and the bytes a token
// they take, on values that are normally distributed as a model's states about are.
#include <benchmark/benchmark.h>

#include <random>

#include "storage/codec/state_codec.h"

namespace {

using namespace rpt::storage;

constexpr uint32_t kTokens = 64, kDim = 256;

std::vector<float> make_states() {
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> states(size_t(kTokens) * kDim);
    for (float& v : states) v = normal(random);
    return states;
}

void encode(benchmark::State& state, StateCodec codec) {
    const std::vector<float> states = make_states();
    size_t size = 0;
    for (auto _ : state) size = encode_states(states, kDim, codec, 0).size();
    state.SetItemsProcessed(int64_t(state.iterations()));
    state.counters["bytes/token"] = static_cast<double>(size) / kTokens;
}

void decode(benchmark::State& state, StateCodec codec) {
    const std::string blob = encode_states(make_states(), kDim, codec, 0);
    for (auto _ : state) benchmark::DoNotOptimize(decode_states(blob, kDim, kTokens));
    state.SetItemsProcessed(int64_t(state.iterations()));
}

BENCHMARK_CAPTURE(encode, fp16, StateCodec::kFp16)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(encode, int8, StateCodec::kInt8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(encode, int4, StateCodec::kInt4)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(encode, low_rank_16, StateCodec::kLowRank)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(decode, fp16, StateCodec::kFp16)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(decode, int8, StateCodec::kInt8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(decode, int4, StateCodec::kInt4)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(decode, low_rank_16, StateCodec::kLowRank)->Unit(benchmark::kMicrosecond);

}  // namespace
