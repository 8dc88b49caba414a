// Speed of the text room: bytes a second of encoding and training, queries a second of BM25.
// RPT_BENCH_TEXT names a file of UTF-8 to use instead of the made-up prose.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>

#include "core/text/bm25.h"
#include "core/text/bpe_trainer.h"
#include "core/text/segmenter.h"
#include "core/text/tokenizer_sections.h"
#include "core/text/utf8_gate.h"

namespace {

using namespace rpt::text;

// Words with Zipf's frequencies, so that caches see what they would see in prose: common words and
// a long tail.
std::string make_prose(size_t size) {
    std::mt19937 random(5);
    std::vector<std::string> words(60000);
    for (size_t w = 0; w < words.size(); ++w) {
        const size_t length = 2 + size_t(std::log2(double(w + 2)) / 2) + random() % 3;
        for (size_t i = 0; i < length; ++i)
            words[w] += i % 2 ? "aeiou"[random() % 5] : "bcdfghlmnprstvw"[random() % 15];
    }
    std::uniform_real_distribution<double> uniform(0, std::log(double(words.size())));
    std::string text;
    while (text.size() < size) {
        text += words[size_t(std::exp(uniform(random))) % words.size()];
        const auto mark = random() % 24;
        text += mark == 0 ? ".\n" : mark == 1 ? ", " : mark == 2 ? " 1987 " : " ";
    }
    return text;
}

const std::string& bench_text() {
    static const std::string text = [] {
        if (const char* path = std::getenv("RPT_BENCH_TEXT")) {
            std::ifstream file(path, std::ios::binary);
            std::string read{std::istreambuf_iterator<char>(file), {}};
            read.resize(valid_utf8_prefix(read));
            return read;
        }
        return make_prose(size_t(16) << 20);
    }();
    return text;
}

const Tokenizer& bench_tokenizer() {
    static const auto tokenizer = [] {
        BpeTrainer trainer;
        trainer.add(bench_text());
        return trainer.train(8192);
    }();
    return *tokenizer;
}

void set_bytes(benchmark::State& state, size_t size) {
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(size));
}

void encode(benchmark::State& state) {
    const Tokenizer& tokenizer = bench_tokenizer();
    for (auto _ : state) benchmark::DoNotOptimize(tokenizer.encode(bench_text()));
    set_bytes(state, bench_text().size());
}
BENCHMARK(encode)->Unit(benchmark::kMillisecond);

// The same vocabulary under each rule for pieces.
void encode_by_rule(benchmark::State& state) {
    auto json = nlohmann::json::parse(bench_tokenizer().to_json());
    const PieceRule rule = kPieceRules[state.range(0)];
    json["pre_tokenizer"] = nlohmann::json::parse(write_pre_tokenizer(rule));
    const auto tokenizer = Tokenizer::from_json(json.dump());
    for (auto _ : state) benchmark::DoNotOptimize(tokenizer->encode(bench_text()));
    set_bytes(state, bench_text().size());
}
BENCHMARK(encode_by_rule)->DenseRange(0, 3)->Unit(benchmark::kMillisecond);

void encode_slow(benchmark::State& state) {
    const std::string text = bench_text().substr(0, size_t(1) << 20);
    for (auto _ : state) benchmark::DoNotOptimize(bench_tokenizer().encode_slow(text));
    set_bytes(state, text.size());
}
BENCHMARK(encode_slow)->Unit(benchmark::kMillisecond);

// Appends of `range` bytes, as an editor or a stream sends them.
void encode_in_parts(benchmark::State& state) {
    const auto tokenizer = Tokenizer::from_json(bench_tokenizer().to_json());
    const std::string_view text = std::string_view(bench_text()).substr(0, size_t(4) << 20);
    for (auto _ : state) {
        IncrementalEncoder encoder(tokenizer);
        Utf8Gate gate;
        std::vector<Token> tokens;
        for (size_t at = 0; at < text.size(); at += size_t(state.range(0)))
            for (const auto& piece : gate.append(text.substr(at, size_t(state.range(0)))))
                encoder.append(piece.text, tokens);
        encoder.finish(tokens);
        benchmark::DoNotOptimize(tokens);
    }
    set_bytes(state, text.size());
}
BENCHMARK(encode_in_parts)->Arg(16)->Arg(256)->Arg(65536)->Unit(benchmark::kMillisecond);

void segment(benchmark::State& state) {
    for (auto _ : state) {
        Segmenter segmenter;
        std::vector<uint64_t> borders;
        segmenter.append(bench_text(), borders);
        benchmark::DoNotOptimize(borders);
    }
    set_bytes(state, bench_text().size());
}
BENCHMARK(segment)->Unit(benchmark::kMillisecond);

// One word of `range` MiB without a border.
void encode_endless_word(benchmark::State& state) {
    std::mt19937 random(9);
    std::string text(size_t(state.range(0)) << 20, 'a');
    for (char& c : text) c = "abcdefghijklmnopqrstuvwxyz"[random() % 26];
    for (auto _ : state) benchmark::DoNotOptimize(bench_tokenizer().encode(text));
    set_bytes(state, text.size());
}
BENCHMARK(encode_endless_word)
    ->Arg(1)
    ->Arg(8)
    ->Arg(100)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);

void train_8k(benchmark::State& state) {
    for (auto _ : state) {
        BpeTrainer trainer;
        trainer.add(bench_text());
        benchmark::DoNotOptimize(trainer.train(8192));
    }
    set_bytes(state, bench_text().size());
}
BENCHMARK(train_8k)->Unit(benchmark::kMillisecond)->Iterations(1);

std::vector<int32_t> bench_ids() {
    std::vector<int32_t> ids;
    for (const Token& token :
         bench_tokenizer().encode(std::string_view(bench_text()).substr(0, size_t(1) << 20)))
        ids.push_back(token.id);
    ids.resize(2000 * 64);
    return ids;
}

void bm25_top_20_of_2000_chunks(benchmark::State& state) {
    const std::vector<int32_t> ids = bench_ids();
    std::vector<std::span<const int32_t>> chunks;
    for (size_t j = 0; j < 2000; ++j) chunks.emplace_back(ids.data() + j * 64, 64);
    const Bm25 bm25(chunks);
    size_t j = 0;
    for (auto _ : state) {
        const std::span<const int32_t> query(ids.data() + (j++ % 1998) * 64, 128);
        benchmark::DoNotOptimize(bm25.top(query, 2000, 20));
    }
    state.SetItemsProcessed(int64_t(state.iterations()));
}
BENCHMARK(bm25_top_20_of_2000_chunks)->Unit(benchmark::kMicrosecond);

}  // namespace
