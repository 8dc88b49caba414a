// Ingest, opening, searching and size of a store. Keys of 256 values, chunks of 64 tokens: 1M
// tokens are 15,625 chunks.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/store.h"

namespace rpt::storage {
namespace {

constexpr uint32_t kDim = 256;
constexpr uint32_t kTokens = 64;

class Numbers {
  public:
    uint32_t next() {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<uint32_t>(state_ >> 32);
    }
    float normal() {
        float sum = -6;
        for (int i = 0; i < 4; ++i) {
            const uint32_t bits = next();
            sum += (static_cast<float>(bits & 0x3ff) + static_cast<float>((bits >> 10) & 0x3ff) +
                    static_cast<float>((bits >> 20) & 0x3ff)) /
                   1024.0f;
        }
        return sum;
    }

  private:
    uint64_t state_ = 1;
};

// Around a topic, as chunks of texts are.
std::vector<float> topic_key(Numbers& numbers, const std::vector<float>& topics) {
    const size_t topic = numbers.next() % (topics.size() / kDim);
    std::vector<float> key(kDim);
    for (size_t c = 0; c < kDim; ++c) key[c] = topics[topic * kDim + c] + 0.8f * numbers.normal();
    return key;
}

struct Bench {
    std::string path;
    std::vector<float> topics;
    Numbers numbers;

    Bench() : topics(200 * kDim) {
        for (float& v : topics) v = numbers.normal();
    }

    StoreOptions options(uint32_t flat_limit) const {
        StoreOptions o;
        o.create = true;
        o.durability = Durability::kNormal;
        o.flat_limit = flat_limit;
        o.model = ModelBinding{{}, kDim, kTokens, 64};
        return o;
    }

    // Documents of 100 chunks, in segments of 10.
    void ingest(Space& space, uint64_t first, uint64_t chunks) {
        std::vector<float> states(size_t(kTokens) * kDim);
        for (float& v : states) v = numbers.normal();
        std::string text(kTokens * 4, ' ');
        for (uint64_t done = 0; done < chunks;) {
            DocumentSpec spec;
            spec.key = std::to_string(first + done);
            Edit edit;
            for (uint64_t i = 0; i < 100 && done < chunks; ++i, ++done) {
                if (i % 10 == 0) edit.segments.emplace_back();
                SegmentRecord& segment = edit.segments.back();
                for (char& c : text) c = static_cast<char>('a' + numbers.next() % 20);
                ChunkRecord chunk;
                chunk.bytes = {segment.text.size(), segment.text.size() + text.size()};
                segment.text += text;
                for (uint32_t t = 0; t < kTokens; ++t)
                    chunk.tokens.push_back(static_cast<int32_t>(numbers.next() % 16384));
                chunk.key = topic_key(numbers, topics);
                std::rotate(states.begin(), states.begin() + 97, states.end());
                chunk.states = states;
                segment.chunks.push_back(std::move(chunk));
            }
            for (SegmentRecord& segment : edit.segments)
                segment.identity = sha256(segment.text.data(), segment.text.size());
            edit.finish = true;
            space.begin_document(spec)->commit(edit);
        }
    }
};

// Stores are made once a process and shared by the benchmarks.
Bench& bench_of(uint64_t chunks) {
    static std::map<uint64_t, std::unique_ptr<Bench>> made;
    std::unique_ptr<Bench>& bench = made[chunks];
    if (bench) return *bench;
    bench = std::make_unique<Bench>();
    bench->path =
        (std::filesystem::temp_directory_path() / ("rpt_store_bench_" + std::to_string(chunks)))
            .string();
    std::filesystem::remove_all(bench->path);
    auto store = Store::open(bench->path, bench->options(0));
    bench->ingest(*store->open_space("o", "c", true), 0, chunks);
    store->close();
    return *bench;
}

void ingest(benchmark::State& state) {
    Bench bench;
    bench.path = (std::filesystem::temp_directory_path() / "rpt_store_bench_ingest").string();
    std::filesystem::remove_all(bench.path);
    StoreOptions options = bench.options(0);
    options.durability = static_cast<Durability>(state.range(0));
    auto store = Store::open(bench.path, options);
    auto space = store->open_space("o", "c", true);
    uint64_t first = 0;
    for (auto _ : state) {
        bench.ingest(*space, first, 1000);
        first += 1000;
    }
    state.counters["chunks/s"] =
        benchmark::Counter(static_cast<double>(first), benchmark::Counter::kIsRate);
    store->close();
    std::filesystem::remove_all(bench.path);
}

void open_store(benchmark::State& state) {
    Bench& bench = bench_of(static_cast<uint64_t>(state.range(0)));
    for (auto _ : state) {
        auto store = Store::open(bench.path, bench.options(0));
        auto space = store->open_space("o", "c", false);
        if (state.range(1) != 0)
            store->search({&space, 1}, std::span(bench.topics).first(kDim), 2, {});
        state.PauseTiming();
        store->close();
        state.ResumeTiming();
    }
}

// range: chunks, graph or not, rare numbers of the query count for more or not
void search(benchmark::State& state) {
    Bench& bench = bench_of(static_cast<uint64_t>(state.range(0)));
    auto store = Store::open(bench.path, bench.options(state.range(1) != 0 ? 50 : 1u << 30));
    auto space = store->open_space("o", "c", false);
    store->rebuild_index();
    SearchFilter filter, exact;
    filter.weigh_by_idf = exact.weigh_by_idf = state.range(2) != 0;
    exact.exact = true;
    store->search({&space, 1}, topic_key(bench.numbers, bench.topics), 2, filter);  // sums the keys
    std::vector<double> times;
    size_t right = 0, asked = 0;
    for (auto _ : state) {
        const std::vector<float> query = topic_key(bench.numbers, bench.topics);
        const auto begin = std::chrono::steady_clock::now();
        const auto hits = store->search({&space, 1}, query, 2, filter);
        const std::chrono::duration<double, std::micro> took =
            std::chrono::steady_clock::now() - begin;
        times.push_back(took.count());
        state.SetIterationTime(took.count() * 1e-6);
        if (times.size() % 16 != 0) continue;
        for (const Hit& hit : store->search({&space, 1}, query, 2, exact)) {
            ++asked;
            right += std::ranges::count(hits, hit.chunk_id, &Hit::chunk_id) > 0;
        }
    }
    std::ranges::sort(times);
    state.counters["p50_us"] = times[times.size() / 2];
    state.counters["p95_us"] = times[times.size() * 95 / 100];
    if (asked > 0)
        state.counters["recall@2"] = static_cast<double>(right) / static_cast<double>(asked);
    store->close();
}

void load_states(benchmark::State& state) {
    Bench& bench = bench_of(157);
    StoreOptions options = bench.options(0);
    if (state.range(0) == 0) options.cache_bytes = 1;
    auto store = Store::open(bench.path, options);
    auto space = store->open_space("o", "c", false);
    for (auto _ : state) {
        const auto hits = store->search({&space, 1}, topic_key(bench.numbers, bench.topics), 2, {});
        benchmark::DoNotOptimize(store->load_states(hits));
    }
    store->close();
}

void size_on_disk(benchmark::State& state) {
    Bench& bench = bench_of(static_cast<uint64_t>(state.range(0)));
    auto store = Store::open(bench.path, bench.options(0));
    StoreStats stats;
    for (auto _ : state) stats = store->stats();
    const auto tokens = static_cast<double>(stats.tokens);
    state.counters["disk_bytes/token"] = static_cast<double>(stats.disk_bytes) / tokens;
    state.counters["state_bytes/value"] =
        static_cast<double>(stats.state_bytes_disk) / tokens / kDim;
    state.counters["database_bytes/value"] =
        static_cast<double>(stats.disk_bytes - stats.index_bytes) / tokens / kDim;
    store->close();
}

BENCHMARK(ingest)
    ->ArgName("durability")
    ->DenseRange(0, 2)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3)
    ->UseRealTime();
BENCHMARK(open_store)
    ->ArgNames({"chunks", "search"})
    ->Args({15625, 0})
    ->Args({15625, 1})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(5)
    ->UseRealTime();
BENCHMARK(size_on_disk)->ArgName("chunks")->Arg(15625)->Iterations(3);
BENCHMARK(load_states)->ArgName("cached")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);
BENCHMARK(search)
    ->ArgNames({"chunks", "graph", "idf"})
    ->ArgsProduct({{157, 15625, 62500}, {0, 1}, {0, 1}})
    ->UseManualTime()
    ->Iterations(2000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace rpt::storage
