// The index of one large space, without a database: how fast it is built, saved and opened, how
// long a search takes and how much of the exact answer it finds, and what memory it needs.
//
//   index_scale_bench [--rows N] [--queries N] [--exact N] [--data texts|islands] [--threads N]
//                     [--ef N]... [--file PATH]
//
// 1,600,000 rows of 256 values are 100 M tokens in chunks of 64. With --file the index is kept
// there and, if it is there already, opened instead of built: the data depends on the other
// options alone. Every --ef is measured in turn (0: what the library uses).
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <string>
#include <vector>

#include "base/half.h"
#include "storage/codec/blob_codec.h"
#include "base/dot_rows.h"
#include "storage/index/index_cache.h"
#include "storage/index/snapshot_search.h"
#include "storage/sqlite/chunk_documents.h"

namespace rpt::storage {
namespace {

constexpr uint32_t kDim = 256;

class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next() {  // splitmix64
        uint64_t z = state_ += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    uint64_t below(uint64_t n) { return next() % n; }
    float unit() { return static_cast<float>(next() >> 40) * 0x1p-24f; }
    float normal() {  // Box and Muller
        if (has_spare_) {
            has_spare_ = false;
            return spare_;
        }
        const float radius = std::sqrt(-2 * std::log(1 - unit()));
        const float angle = 2 * std::numbers::pi_v<float> * unit();
        spare_ = radius * std::sin(angle);
        has_spare_ = true;
        return radius * std::cos(angle);
    }

  private:
    uint64_t state_;
    float spare_ = 0;
    bool has_spare_ = false;
};

using Vector = std::vector<float>;

// Draws keys, and queries like them.
class Source {
  public:
    virtual ~Source() = default;
    virtual void key(Random& random, float* out) = 0;
    virtual void query(Random& random, float* out) { key(random, out); }
};

// As in store_bench: 200 topics of equal size, around each a cloud that is as wide in all 256
// directions. Hard and unlike texts: within a topic the best neighbour is hardly nearer than any
// other.
class Islands : public Source {
  public:
    explicit Islands(Random& random) : centres_(kTopics * kDim) {
        for (float& v : centres_) v = random.normal();
    }
    void key(Random& random, float* out) override {
        const float* centre = centres_.data() + random.below(kTopics) * kDim;
        for (uint32_t c = 0; c < kDim; ++c) out[c] = centre[c] + 0.8f * random.normal();
    }

  private:
    static constexpr size_t kTopics = 200;
    Vector centres_;
};

// 5,000 topics of unequal size (the i-th in proportion to 1 / (i + 20)) in 60 fields; around a
// topic keys spread in 24 directions of its own with falling width, and a little in all of them;
// lengths differ by a factor; one key in twenty nearly repeats an earlier one. Queries are keys
// with twice the spread in all directions, so that the best neighbours are not trivial.
class Texts : public Source {
  public:
    explicit Texts(Random& random)
        : centres_(kTopics * kDim), directions_(kShared * kDim), chosen_(kTopics * kOwn) {
        Vector fields(kFields * kDim);
        for (float& v : fields) v = random.normal();
        for (float& v : directions_) v = random.normal();
        double sum = 0;
        for (size_t topic = 0; topic < kTopics; ++topic) {
            const float* field = fields.data() + random.below(kFields) * kDim;
            for (uint32_t c = 0; c < kDim; ++c)
                centres_[topic * kDim + c] = 0.7f * field[c] + 0.7f * random.normal();
            for (size_t i = 0; i < kOwn; ++i)
                chosen_[topic * kOwn + i] = static_cast<uint32_t>(random.below(kShared));
            sum += 1 / (static_cast<double>(topic) + 20);
            shares_.push_back(sum);
        }
    }
    void key(Random& random, float* out) override { draw(random, 0.15f, out, true); }
    void query(Random& random, float* out) override { draw(random, 0.3f, out, false); }

  private:
    void draw(Random& random, float noise, float* out, bool remember) {
        if (remember && !earlier_.empty() && random.below(20) == 0) {
            const float* old = earlier_.data() + random.below(earlier_.size() / kDim) * kDim;
            for (uint32_t c = 0; c < kDim; ++c) out[c] = old[c] + 0.02f * random.normal();
            return;
        }
        const double at = shares_.back() * random.unit();
        const auto topic = std::min<size_t>(
            static_cast<size_t>(std::ranges::lower_bound(shares_, at) - shares_.begin()),
            kTopics - 1);
        const float length = std::exp(0.2f * random.normal());
        std::copy_n(centres_.data() + topic * kDim, kDim, out);
        for (size_t i = 0; i < kOwn; ++i) {
            const float width =
                random.normal() * 0.5f / std::sqrt(1 + 0.3f * static_cast<float>(i));
            const float* direction = directions_.data() + chosen_[topic * kOwn + i] * kDim;
            for (uint32_t c = 0; c < kDim; ++c) out[c] += width * direction[c];
        }
        for (uint32_t c = 0; c < kDim; ++c) out[c] = length * (out[c] + noise * random.normal());
        if (remember && random.below(50) == 0 && earlier_.size() < 20000 * kDim)
            earlier_.insert(earlier_.end(), out, out + kDim);
    }

    static constexpr size_t kFields = 60, kTopics = 5000, kShared = 400, kOwn = 24;
    Vector centres_, directions_;
    std::vector<uint32_t> chosen_;
    std::vector<double> shares_;
    Vector earlier_;
};

struct Options {
    size_t rows = 1600000, queries = 2000, exact = 200;
    unsigned threads = 2;
    std::string data = "texts", file;
    std::vector<size_t> efs;
};

double clock_seconds(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Time that passed, and time that a processor spent on it: on a machine with other work the latter
// says more.
class Stopwatch {
  public:
    explicit Stopwatch(clockid_t cpu = CLOCK_THREAD_CPUTIME_ID)
        : cpu_(cpu), cpu_begin_(clock_seconds(cpu)) {}
    double seconds() const { return clock_seconds(CLOCK_MONOTONIC) - begin_; }
    double cpu_seconds() const { return clock_seconds(cpu_) - cpu_begin_; }

  private:
    clockid_t cpu_;
    double begin_ = clock_seconds(CLOCK_MONOTONIC), cpu_begin_;
};

// Of a series of calls.
struct Times {
    std::vector<double> passed, cpu;  // ms
    void add(const Stopwatch& watch) {
        passed.push_back(watch.seconds() * 1000);
        cpu.push_back(watch.cpu_seconds() * 1000);
    }
    void say(const char* name) {
        std::ranges::sort(passed);
        std::ranges::sort(cpu);
        const auto at = [](const std::vector<double>& ms, size_t percent) {
            return ms[ms.size() * percent / 100];
        };
        std::printf("%-24s p50 %.3f ms, p95 %.3f, p99 %.3f; cpu %.3f, %.3f, %.3f\n", name,
                    at(passed, 50), at(passed, 95), at(passed, 99), at(cpu, 50), at(cpu, 95),
                    at(cpu, 99));
        std::fflush(stdout);
    }
};

// MiB of a line of /proc/self/status.
double status_mib(const char* name) {
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(name)) return std::stod(line.substr(std::strlen(name) + 1)) / 1024;
    return 0;
}

void say_memory(const char* when) {
    std::printf("%-24s resident %.0f MiB (own %.0f, mapped %.0f), peak %.0f\n", when,
                status_mib("VmRSS"), status_mib("RssAnon"), status_mib("RssFile"),
                status_mib("VmHWM"));
    std::fflush(stdout);
}

std::shared_ptr<const KeyRows> make_rows(Source& source, Random& random, size_t n) {
    auto rows = std::make_shared<KeyRows>(kDim);
    rows->reserve(n);
    Vector key(kDim);
    std::string blob(kDim * 2, '\0');
    for (size_t i = 0; i < n; ++i) {
        source.key(random, key.data());
        to_halves(key.data(), reinterpret_cast<uint16_t*>(blob.data()), kDim);
        RowFacts facts;
        facts.chunk = i + 1;
        facts.seal = static_cast<uint32_t>(random.next());
        rows->push(facts, blob);
    }
    return rows;
}

Snapshot build(std::shared_ptr<const KeyRows> rows, unsigned threads) {
    Snapshot snapshot;
    snapshot.generation = 1;
    snapshot.newest_chunk = rows->size();
    for (size_t row = 0; row < rows->size(); ++row)
        snapshot.digest += digest_part(rows->facts(row).chunk, rows->facts(row).seal);
    const Stopwatch watch(CLOCK_PROCESS_CPUTIME_ID);
    RowRun segment{rows, HnswGraph::build(*rows, threads, false), nullptr};
    const double n = static_cast<double>(rows->size());
    std::printf("%-24s %.1f s, %.0f rows/s, %u threads; cpu %.1f s, %.0f rows/s\n", "build",
                watch.seconds(), n / watch.seconds(), threads, watch.cpu_seconds(),
                n / watch.cpu_seconds());
    snapshot.runs.push_back(std::move(segment));
    return snapshot;
}

// The rows of the best k, for each query: one pass over the keys in blocks that fit the cache.
std::vector<std::vector<uint32_t>> exact_answers(const KeyRows& rows, const Vector& queries,
                                                 size_t n_queries, size_t k) {
    using Scored = std::pair<float, uint32_t>;
    const auto worse = [](const Scored& a, const Scored& b) { return a.first > b.first; };
    std::vector<std::vector<Scored>> best(n_queries);
    constexpr size_t kBlock = 1024;
    std::vector<float> scores(kBlock);
    for (size_t begin = 0; begin < rows.size(); begin += kBlock) {
        const size_t n = std::min(kBlock, rows.size() - begin);
        for (size_t q = 0; q < n_queries; ++q) {
            dot_rows(rows.key(begin), n, kDim, queries.data() + q * kDim, scores.data());
            for (size_t i = 0; i < n; ++i) {
                if (best[q].size() == k && scores[i] <= best[q].front().first) continue;
                if (best[q].size() == k) {
                    std::ranges::pop_heap(best[q], worse);
                    best[q].pop_back();
                }
                best[q].push_back({scores[i], static_cast<uint32_t>(begin + i)});
                std::ranges::push_heap(best[q], worse);
            }
        }
    }
    std::vector<std::vector<uint32_t>> answers(n_queries);
    for (size_t q = 0; q < n_queries; ++q) {
        std::ranges::sort(best[q], worse);
        for (const Scored& scored : best[q]) answers[q].push_back(scored.second);
    }
    return answers;
}

double recall(const HnswGraph& graph, const KeyRows& rows, const Vector& queries,
              const std::vector<std::vector<uint32_t>>& answers, size_t k, size_t ef) {
    size_t right = 0;
    for (size_t q = 0; q < answers.size(); ++q) {
        auto found = graph.search(rows, queries.data() + q * kDim, k + 8, ef);
        std::ranges::sort(found, [](const auto& a, const auto& b) { return a.score > b.score; });
        found.resize(std::min(found.size(), k));
        for (const auto& candidate : found)
            right += std::ranges::count(answers[q].begin(), answers[q].begin() + ptrdiff_t(k),
                                        candidate.row) > 0;
    }
    return static_cast<double>(right) / static_cast<double>(answers.size() * k);
}

// What a store does for a search of two chunks, filters and all.
void time_whole_searches(const Snapshot& snapshot, const Vector& queries) {
    // Without a filter no document is asked about.
    Connection nothing(":memory:", Connection::Access::kCreate, "none");
    const SearchFilter filter;
    ChunkDocuments documents(nothing, filter, {});
    const auto shared = std::make_shared<const Snapshot>(snapshot);
    Times times;
    for (size_t q = 0; q < queries.size() / kDim; ++q) {
        const Stopwatch watch;
        search_snapshots({&shared, 1}, std::span(queries).subspan(q * kDim, kDim), 2, filter,
                         documents, {});
        times.add(watch);
    }
    times.say("search of two chunks");
}

void measure(const Snapshot& snapshot, Source& source, Random& random, const Options& options) {
    const KeyRows& rows = *snapshot.runs[0].rows;
    const HnswGraph& graph = *snapshot.runs[0].graph;
    Vector queries(options.queries * kDim);
    for (size_t q = 0; q < options.queries; ++q) source.query(random, queries.data() + q * kDim);
    Stopwatch watch;
    const auto answers = exact_answers(rows, queries, std::min(options.exact, options.queries), 10);
    std::printf("%-24s %.1f s for %zu queries\n", "exact scans", watch.seconds(), answers.size());
    time_whole_searches(snapshot, queries);
    time_whole_searches(snapshot, queries);
    for (const size_t ef : options.efs) {
        Times times;
        for (size_t q = 0; q < options.queries; ++q) {
            const Stopwatch one;
            graph.search(rows, queries.data() + q * kDim, 10, ef);
            times.add(one);
        }
        times.say(("graph, ef " + std::to_string(ef)).c_str());
        std::printf("%-24s recall@2 %.4f, recall@10 %.4f\n", "",
                    recall(graph, rows, queries, answers, 2, ef),
                    recall(graph, rows, queries, answers, 10, ef));
        std::fflush(stdout);
    }
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i += 2) {
        const std::string name = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
        if (name == "--rows" && !value.empty())
            options.rows = std::stoull(value);
        else if (name == "--queries" && !value.empty())
            options.queries = std::stoull(value);
        else if (name == "--exact" && !value.empty())
            options.exact = std::stoull(value);
        else if (name == "--threads" && !value.empty())
            options.threads = static_cast<unsigned>(std::stoul(value));
        else if (name == "--data" && !value.empty())
            options.data = value;
        else if (name == "--file" && !value.empty())
            options.file = value;
        else if (name == "--ef" && !value.empty())
            options.efs.push_back(std::stoull(value));
        else {
            std::fprintf(stderr,
                         "index_scale_bench [--rows N] [--queries N] [--exact N] [--data "
                         "texts|islands] [--threads N] [--ef N]... [--file PATH]\n");
            std::exit(2);
        }
    }
    if (options.efs.empty()) options.efs.push_back(0);
    return options;
}

int run(const Options& options) {
    Random random(7);
    std::unique_ptr<Source> source;
    if (options.data == "islands") {
        source = std::make_unique<Islands>(random);
    } else {
        source = std::make_unique<Texts>(random);
    }
    const std::string file =
        options.file.empty()
            ? (std::filesystem::temp_directory_path() / "rpt_index_scale_bench.idx").string()
            : options.file;
    if (options.file.empty() || !std::filesystem::exists(file)) {
        Random keys(11);
        Stopwatch watch;
        auto rows = make_rows(*source, keys, options.rows);
        std::printf("%-24s %.1f s, %zu rows of %u, %s\n", "keys", watch.seconds(), rows->size(),
                    kDim, options.data.c_str());
        say_memory("after making keys");
        const Snapshot snapshot = build(std::move(rows), options.threads);
        say_memory("after building");
        watch = Stopwatch();
        write_index_cache(file, 1, kDim, snapshot, 0600);
        std::printf("%-24s %.2f s, %.1f bytes a row\n", "save", watch.seconds(),
                    static_cast<double>(std::filesystem::file_size(file)) /
                        static_cast<double>(options.rows));
    }
    say_memory("before opening");
    std::optional<Snapshot> snapshot;
    for (int i = 0; i < 5; ++i) {
        snapshot.reset();
        const Stopwatch watch;
        snapshot = read_index_cache(file, 1, kDim);
        std::printf("%-24s %.3f s, cpu %.3f\n", "open", watch.seconds(), watch.cpu_seconds());
        if (!snapshot) return 1;
    }
    say_memory("after opening");
    std::printf(
        "%-24s %.1f bytes a chunk\n", "index in memory",
        static_cast<double>(snapshot->memory_bytes()) / static_cast<double>(snapshot->live()));
    Random asked(13);
    measure(*snapshot, *source, asked, options);
    say_memory("after searching");
    if (options.file.empty()) std::filesystem::remove(file);
    return 0;
}

}  // namespace
}  // namespace rpt::storage

int main(int argc, char** argv) {
    return rpt::storage::run(rpt::storage::parse(argc, argv));
}
