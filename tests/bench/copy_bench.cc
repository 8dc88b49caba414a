// What copying from a space costs, beside what a model of SmolLM2-135M's shape costs on LibTorch.
//
//   OMP_NUM_THREADS=1 copy_bench [--rounds 15] [PLACES ...]      (10000 100000 1000000)
//
// Keys stand in clusters, as those of text do. The answers are checked first: every place against
// two stages. A generated token of the model, copying with every place and copying in two stages
// take turns; so do a block of 256 tokens and copying for its 256 queries. Each line has medians of
// processor time and their ratio: what the machine does besides touches all of them alike.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "core/reader/copy_mixture.h"
#include "core/reader/copy_weights.h"
#include "storage/codec/pointer_codec.h"
#include "tests/bench/frozen_model.h"

namespace {

using namespace rpt;
using namespace rpt::reader;

constexpr uint32_t kWidth = 128;
constexpr size_t kChunk = 64, kClusters = 4000, kBlock = 256;
constexpr int32_t kBos = 0;

struct Keys {
    std::mt19937_64 random{1};
    std::vector<float> centres;

    Keys() : centres(kClusters * kWidth) {
        for (float& number : centres) number = draw();
    }
    // Sum of four: near enough to a normal number.
    float draw() {
        const uint64_t bits = random();
        return float((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) +
                     (bits >> 48)) /
                   65536 -
               2;
    }
    size_t cluster() {
        const double u = double(random() >> 11) * 0x1p-53;
        return size_t(u * u * double(kClusters));
    }
    std::vector<float> near(size_t cluster) {
        std::vector<float> key(kWidth);
        float square = 0;
        for (size_t i = 0; i < kWidth; ++i) {
            key[i] = centres[cluster * kWidth + i] + 0.75f * draw();
            square += key[i] * key[i];
        }
        for (float& number : key) number /= std::sqrt(square);
        return key;
    }
};

std::shared_ptr<const storage::PointerSnapshot> snapshot_of(Keys& keys, size_t places) {
    auto snapshot = std::make_shared<storage::PointerSnapshot>();
    snapshot->width = kWidth;
    for (size_t chunk = 0; chunk * kChunk < places;) {
        std::vector<storage::PointerRows> chunks;
        do {
            std::vector<float> numbers;
            storage::PointerRows rows;
            for (size_t t = 0; t < kChunk; ++t) {
                const size_t cluster = keys.cluster();
                const std::vector<float> key = keys.near(cluster);
                numbers.insert(numbers.end(), key.begin(), key.end());
                rows.tokens.push_back(int32_t(1 + (cluster * 7 + keys.random() % 4) % 49000));
            }
            storage::unpack_pointers(storage::encode_pointers(numbers, kWidth), kChunk, kWidth,
                                     rows);
            rows.chunk = chunk;
            chunks.push_back(std::move(rows));
        } while (++chunk % storage::PointerPage::kChunks != 0 && chunk * kChunk < places);
        snapshot->add(std::make_shared<const storage::PointerPage>(
            std::vector<storage::PointerSlice>(chunks.begin(), chunks.end())));
    }
    return snapshot;
}

double milliseconds(const std::function<void()>& work) {
    const auto now = [] {
        timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return double(t.tv_sec) * 1e3 + double(t.tv_nsec) * 1e-6;
    };
    const double before = now();
    work();
    return now() - before;
}

double median(std::vector<double> numbers) {
    std::ranges::sort(numbers);
    return numbers[numbers.size() / 2];
}

// A token's mixture, as CopyReader::mix makes it of one space.
void copy_a_token(const SpacePlaces& places, const CopyQuery& query, std::vector<float>& logits) {
    const LogitFacts facts = facts_of(logits);
    std::vector<double> added(logits.size());
    scan_places(places, {}, {&query, 1}, [&](size_t, CopyBelief& belief) {
        const double lambda = copy_share({}, belief.evidence, facts.entropy);
        const auto tokens = places.followers().tokens();
        for (size_t slot = 0; slot < belief.mass.size(); ++slot)
            added[size_t(tokens[slot])] += lambda * belief.mass[slot];
        mix_into_logits(logits, added, 1 - lambda, facts.log_sum);
    });
}

void copy_a_block(const SpacePlaces& places, const std::vector<CopyQuery>& queries) {
    double sum = 0;
    scan_places(places, {}, queries,
                [&](size_t, CopyBelief& belief) { sum += belief.evidence.log_sum; });
    if (!std::isfinite(sum)) std::abort();
}

std::vector<CopyEvidence> evidence(const SpacePlaces& places,
                                   const std::vector<CopyQuery>& queries) {
    std::vector<CopyEvidence> all;
    scan_places(places, {}, queries,
                [&](size_t, CopyBelief& belief) { all.push_back(belief.evidence); });
    return all;
}

bool agree(const SpacePlaces& exact, const SpacePlaces& staged,
           const std::vector<CopyQuery>& queries) {
    const auto all = evidence(exact, queries), some = evidence(staged, queries);
    for (size_t q = 0; q < queries.size(); ++q)
        if (std::abs(all[q].log_sum - some[q].log_sum) > 0.15 ||
            std::abs(all[q].best_cosine - some[q].best_cosine) > 0.05)
            return false;
    return true;
}

// The model's work on `ids`, once the window is full.
class Model {
  public:
    Model() : stream_(bench::frozen_engine()->new_stream()), logits_(bench::smollm2().vocab) {
        for (int i = 0; i < 3; ++i) read(kBlock);
    }
    void read(size_t n) {
        const auto ids = bench::some_ids(n);
        for (const auto& chunk : stream_->advance_lower(ids))
            stream_->set_neighbours(chunk.index, {});
        stream_->advance_upper(logits_);
    }
    std::vector<float>& logits() { return logits_; }

  private:
    std::unique_ptr<engine::Stream> stream_;
    std::vector<float> logits_;
};

void tell(const char* what, std::vector<double> model, std::vector<double> exact,
          std::vector<double> staged, bool exact_is_used) {
    const double alone = median(model), every = median(exact), stages = median(staged);
    std::printf(
        "  %-22s %8.2f ms alone; every place %8.2f ms, %.3f times%s; two stages %8.2f ms, "
        "%.3f times%s\n",
        what, alone, every, 1 + every / alone, exact_is_used ? " (used)" : "", stages,
        1 + stages / alone, exact_is_used ? "" : " (used)");
}

void measure(size_t n, size_t rounds) {
    Keys keys;
    const auto snapshot = snapshot_of(keys, n);
    const SpacePlaces exact(snapshot, kBos, {.most_exact = SIZE_MAX}),
        staged(snapshot, kBos, {.most_exact = 0});
    std::vector<CopyQuery> queries;
    for (size_t q = 0; q < kBlock; ++q) queries.emplace_back(keys.near(keys.cluster()));
    std::printf("%zu places, %.1f MB in memory\n", exact.slots().size(),
                double(snapshot->memory_bytes) * 1e-6);
    if (!agree(exact, staged, {queries.begin(), queries.begin() + 16})) {
        std::printf("two stages differ from all places\n");
        std::exit(1);
    }
    const bool used = exact.slots().size() <= ReadingLimits{}.most_exact;
    Model model;
    std::vector<double> alone, every, stages;
    for (size_t r = 0; r < rounds; ++r) {
        alone.push_back(milliseconds([&] { model.read(1); }));
        every.push_back(
            milliseconds([&] { copy_a_token(exact, queries[r % kBlock], model.logits()); }));
        alone.push_back(milliseconds([&] { model.read(1); }));
        stages.push_back(
            milliseconds([&] { copy_a_token(staged, queries[r % kBlock], model.logits()); }));
    }
    tell("a generated token", alone, every, stages, used);
    alone.clear(), every.clear(), stages.clear();
    Model blocks;
    for (size_t r = 0; r < 3; ++r) {
        alone.push_back(milliseconds([&] { blocks.read(kBlock); }));
        every.push_back(milliseconds([&] { copy_a_block(exact, queries); }));
        stages.push_back(milliseconds([&] { copy_a_block(staged, queries); }));
    }
    tell("a block of 256 tokens", alone, every, stages, used);
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<size_t> sizes;
    size_t rounds = 15;
    for (int i = 1; i < argc; ++i) {
        if (std::string(argv[i]) == "--rounds" && i + 1 < argc)
            rounds = std::strtoull(argv[++i], nullptr, 10);
        else
            sizes.push_back(std::strtoull(argv[i], nullptr, 10));
    }
    if (sizes.empty()) sizes = {10000, 100000, 1000000};
    for (const size_t size : sizes)
        measure(std::max<size_t>(size, kChunk), std::max<size_t>(rounds, 1));
}
