// What copying in two stages loses against all places, on a real model's pointer keys.
//
//   copy_recall_bench MEMORY CACHED... [--queries 8] [--places N]
//
// MEMORY is a memory file, CACHED are files that `rpt-lab memory fit` left in its --cache. Of each
// document the first three quarters stand in one space; queries are spread over its last quarter,
// as if a session went on with it. Tokens are predicted by the model alone (as cached), with all
// places and in two stages; the numbers of the gate are the memory file's for spaces. --places
// reads no more documents once so many places are there.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/reader/copy_mixture.h"
#include "core/weights/dequantise.h"
#include "core/weights/package.h"
#include "storage/codec/pointer_codec.h"

namespace {

using namespace rpt;
using namespace rpt::reader;

constexpr size_t kChunk = 64;

std::vector<float> floats_of(const weights::TensorSource& source, const std::string& name) {
    const auto& info = source.tensors().at(name);
    size_t n = 1;
    for (const int64_t size : info.shape) n *= size_t(size);
    std::vector<float> numbers(n);
    weights::read_floats(source, name, numbers);
    return numbers;
}

struct Memory {
    std::vector<float> mean, query, key;
    CopyNumbers numbers;
    size_t width() const { return key.size() / mean.size(); }

    // unit(map (state - mean)), in eight sums side by side.
    std::vector<float> mapped(const std::vector<float>& map, const float* state) const {
        const size_t d = mean.size();
        std::vector<float> centred(d), out(width());
        for (size_t i = 0; i < d; ++i) centred[i] = state[i] - mean[i];
        float square = 0;
        for (size_t r = 0; r < out.size(); ++r) {
            float sums[8] = {};
            for (size_t i = 0; i + 8 <= d; i += 8)
                for (size_t l = 0; l < 8; ++l) sums[l] += centred[i + l] * map[r * d + i + l];
            for (const float sum : sums) out[r] += sum;
            square += out[r] * out[r];
        }
        for (float& number : out) number /= std::sqrt(square);
        return out;
    }
};

Memory read_memory(const std::string& path) {
    const auto source = weights::Package::open(path, false);
    Memory memory{floats_of(*source, "memory.pointer.mean"),
                  floats_of(*source, "memory.pointer.query"),
                  floats_of(*source, "memory.pointer.key"),
                  CopySettings::read(floats_of(*source, "memory.copy")).spaces};
    return memory;
}

struct Query {
    CopyQuery query;
    int32_t next;
    double nll, entropy;  // of the model alone
};

struct Text {
    std::vector<storage::PointerRows> chunks;
    std::vector<Query> queries;
};

// One document's part of the space, and what is asked of it.
void read_document(const std::string& path, const Memory& memory, size_t n_queries, Text& text) {
    const auto source = weights::Package::open(path, false);
    const auto width = uint32_t(memory.width());
    const size_t d = memory.mean.size(), n = size_t(source->tensors().at("tokens").shape[0]);
    std::vector<int64_t> tokens(n);
    source->read("tokens", {reinterpret_cast<std::byte*>(tokens.data()), n * 8});
    const std::vector<float> states = floats_of(*source, "states"), nll = floats_of(*source, "nll"),
                             entropy = floats_of(*source, "entropy");
    const size_t stored = n * 3 / 4 / kChunk * kChunk;
    for (size_t first = 0; first < stored; first += kChunk) {
        std::vector<float> keys;
        storage::PointerRows rows;
        for (size_t t = first; t < first + kChunk; ++t) {
            const std::vector<float> key = memory.mapped(memory.key, states.data() + t * d);
            keys.insert(keys.end(), key.begin(), key.end());
            rows.tokens.push_back(int32_t(tokens[t]));
        }
        storage::unpack_pointers(storage::encode_pointers(keys, width), kChunk, width, rows);
        rows.chunk = text.chunks.size();
        text.chunks.push_back(std::move(rows));
    }
    const size_t begin = stored + 512;  // beyond the window
    for (size_t i = 0; i < n_queries && begin + 1 < n; ++i) {
        const size_t t = begin + i * (n - 1 - begin) / n_queries;
        text.queries.push_back({CopyQuery(memory.mapped(memory.query, states.data() + t * d)),
                                int32_t(tokens[t + 1]), double(nll[t]), double(entropy[t])});
    }
}

std::shared_ptr<const storage::PointerSnapshot> snapshot_of(std::vector<storage::PointerRows> all,
                                                            uint32_t width) {
    auto snapshot = std::make_shared<storage::PointerSnapshot>();
    snapshot->width = width;
    constexpr size_t kPage = storage::PointerPage::kChunks;
    for (size_t first = 0; first < all.size(); first += kPage)
        snapshot->add(
            std::make_shared<const storage::PointerPage>(std::vector<storage::PointerSlice>(
                all.begin() + ptrdiff_t(first),
                all.begin() + ptrdiff_t(std::min(first + kPage, all.size())))));
    for (size_t i = 0; i + 1 < all.size(); ++i) snapshot->parts[i].next = all[i + 1].tokens.front();
    return snapshot;
}

struct Told {
    double log_sum = 0, entropy = 0, near = 0, mass = 0, best = 0, read = 0, total = 0;
    double lambda = 0, nll = 0;
};

std::vector<Told> read_all(const SpacePlaces& places, const Memory& memory,
                           const std::vector<Query>& queries) {
    std::vector<Told> all;
    for (const Query& query : queries)
        scan_places(places, memory.numbers, {&query.query, 1}, [&](size_t, CopyBelief& belief) {
            Told& told = all.emplace_back();
            told.log_sum = belief.evidence.log_sum;
            told.entropy = belief.evidence.entropy;
            told.near = std::log1p(double(belief.evidence.near));
            const double mass = std::clamp(belief.evidence.best_mass, 1e-6, 1 - 1e-6);
            told.mass = std::log(mass / (1 - mass));
            told.best = belief.evidence.best_cosine;
            told.total = belief.total;
            for (const float weight : belief.read->weights) told.read += double(weight);
            const int32_t slot = places.followers().find(query.next);
            const double copy = slot < 0 ? 0 : belief.mass[size_t(slot)];
            told.lambda = copy_share(memory.numbers, belief.evidence, query.entropy);
            told.nll = -std::log((1 - told.lambda) * std::exp(-query.nll) + told.lambda * copy);
        });
    return all;
}

// Mean, and the largest of 99 in 100 without its sign.
void tell(const char* what, std::vector<double> numbers) {
    double sum = 0;
    for (double& number : numbers) {
        sum += number;
        number = std::abs(number);
    }
    std::ranges::sort(numbers);
    std::printf("  %-36s mean %+.5f   99 %% within %.4f   most %.4f\n", what,
                sum / double(numbers.size()), numbers[numbers.size() * 99 / 100], numbers.back());
}

}  // namespace

int main(int argc, char** argv) {
    size_t n_queries = 8, most = SIZE_MAX;
    std::vector<std::string> paths;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--queries" && i + 1 < argc)
            n_queries = std::strtoull(argv[++i], nullptr, 10);
        else if (name == "--places" && i + 1 < argc)
            most = std::strtoull(argv[++i], nullptr, 10);
        else
            paths.push_back(name);
    }
    if (paths.size() < 2) {
        std::fprintf(stderr, "copy_recall_bench MEMORY CACHED... [--queries 8] [--places N]\n");
        return 2;
    }
    const Memory memory = read_memory(paths[0]);
    Text text;
    for (size_t i = 1; i < paths.size() && text.chunks.size() * kChunk < most; ++i)
        read_document(paths[i], memory, n_queries, text);
    const auto snapshot = snapshot_of(std::move(text.chunks), uint32_t(memory.width()));
    constexpr int32_t kBos = 0;
    const SpacePlaces exact(snapshot, kBos, {.most_exact = SIZE_MAX}),
        staged(snapshot, kBos, {.most_exact = 0});
    const std::vector<Told> all = read_all(exact, memory, text.queries),
                            some = read_all(staged, memory, text.queries);
    const size_t n = all.size();
    std::printf("%zu places, %zu compared exactly, %zu queries, T %.1f\n", exact.slots().size(),
                staged.most_best(), n, memory.numbers.temperature);
    double alone = 0, with_all = 0, with_some = 0;
    std::vector<double> recall;
    for (size_t q = 0; q < n; ++q) {
        alone += text.queries[q].nll / double(n);
        with_all += all[q].nll / double(n);
        with_some += some[q].nll / double(n);
        recall.push_back(some[q].read / all[q].total);
    }
    std::printf("  nats a token: alone %.4f, all places %.4f, two stages %.4f\n", alone, with_all,
                with_some);
    std::ranges::sort(recall);
    double mean = 0;
    for (const double one : recall) mean += one / double(n);
    std::printf("  %-36s mean %.4f   hundredth %.4f   least %.4f\n", "recall of mass", mean,
                recall[n / 100], recall[0]);
    const auto apart = [&](double Told::*what) {
        std::vector<double> differences;
        for (size_t q = 0; q < n; ++q) differences.push_back(some[q].*what - all[q].*what);
        return differences;
    };
    std::printf("two stages less all places:\n");
    tell("nats a token", apart(&Told::nll));
    tell("x1, logit of the largest mass", apart(&Told::mass));
    tell("x2, entropy", apart(&Told::entropy));
    tell("x3, log of the sum less log N", apart(&Told::log_sum));
    tell("x5, log(1 + near places)", apart(&Told::near));
    tell("best cosine", apart(&Told::best));
    tell("lambda", apart(&Told::lambda));
}
