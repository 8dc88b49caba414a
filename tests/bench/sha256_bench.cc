// Bytes a second of SHA-256: with the processor's SHA instructions where it has them, and plain.
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "base/sha256_blocks.h"

namespace {

using Mix = void (*)(uint32_t*, const uint8_t*, size_t);

void hash_blocks(benchmark::State& state, Mix mix) {
    const std::vector<uint8_t> bytes(size_t(state.range(0)), 7);
    std::array<uint32_t, 8> words{};
    for (auto _ : state) {
        mix(words.data(), bytes.data(), bytes.size() / 64);
        benchmark::DoNotOptimize(words);
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void plain(benchmark::State& state) {
    hash_blocks(state, rpt::sha256_blocks_plain);
}

void fast(benchmark::State& state) {
    if (!rpt::has_sha_instructions()) return state.SkipWithError("no SHA instructions here");
    hash_blocks(state, rpt::sha256_blocks_fast);
}

}  // namespace

BENCHMARK(plain)->Arg(16 << 10);
BENCHMARK(fast)->Arg(16 << 10);
