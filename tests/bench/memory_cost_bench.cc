// What a token costs that is generated with a large memory, against one with a small memory.
//
//   memory_cost_bench --model FILE [--small 10000] [--large 1000000] [--tokens 320] [--rounds 10]
//                     [--flat-limit 0] [--threads 1] [--folder PATH] [--json]
//
// Both memories are filled with random keys and states of the model's shape: what a search and the
// reading of its hits cost does not depend on what they mean. Generations alternate, from the same
// prompt with the same seeds. The cost of one generation is the time from its first token to its
// last, over their number; of these the medians are compared. Processor time says more than time on
// a machine with other work.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/reader/segment_encoder.h"
#include "core/reader/session.h"
#include "lab/engine/torch_factory.h"
#include "storage/store.h"

namespace {

using namespace rpt;

struct Options {
    std::string model, folder;
    uint64_t small = 10000, large = 1000000, tokens = 320, rounds = 10;
    uint32_t flat_limit = 0;
    int threads = 1;
    bool json = false;
};

[[noreturn]] void tell_usage(int code) {
    std::fprintf(code == 0 ? stdout : stderr,
                 "memory_cost_bench --model FILE [--small 10000] [--large 1000000] [--tokens 320]\n"
                 "                  [--rounds 10] [--flat-limit 0] [--threads 1] [--folder PATH] "
                 "[--json]\n");
    std::exit(code);
}

Options read_options(int argc, char** argv) {
    Options o;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--help") tell_usage(0);
        if (name == "--json") {
            o.json = true;
            continue;
        }
        if (++i == argc) tell_usage(2);
        const auto number = [&] { return std::strtoull(argv[i], nullptr, 10); };
        if (name == "--model") {
            o.model = argv[i];
        } else if (name == "--folder") {
            o.folder = argv[i];
        } else if (name == "--small") {
            o.small = number();
        } else if (name == "--large") {
            o.large = number();
        } else if (name == "--tokens") {
            o.tokens = number();
        } else if (name == "--rounds") {
            o.rounds = number();
        } else if (name == "--flat-limit") {
            o.flat_limit = uint32_t(number());
        } else if (name == "--threads") {
            o.threads = int(number());
        } else {
            tell_usage(2);
        }
    }
    if (o.model.empty()) tell_usage(2);
    if (o.folder.empty())
        o.folder = (std::filesystem::temp_directory_path() / "rpt_memory_cost_bench").string();
    return o;
}

double clock_seconds(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

class Numbers {
  public:
    uint32_t next() {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return uint32_t(state_ >> 32);
    }
    float normal() {  // about: the sum of four uniforms
        float sum = -2;
        for (int i = 0; i < 4; ++i) sum += float(next() >> 8) * 0x1p-24f;
        return sum * 1.732f;
    }

  private:
    uint64_t state_ = 1;
};

// A store with one space of so many tokens, in documents of 100 chunks.
struct Memory {
    std::shared_ptr<storage::Store> store;
    std::vector<std::shared_ptr<storage::Space>> spaces;

    Memory(const engine::Engine& engine, const Options& o, const std::string& name,
           uint64_t tokens) {
        storage::StoreOptions choices;
        choices.create = true;
        choices.durability = storage::Durability::kNone;
        choices.flat_limit = o.flat_limit;
        storage::ModelBinding model;
        model.fingerprint = engine.fingerprint();
        model.dim = uint32_t(engine.config().dim);
        model.chunk_tokens = uint32_t(engine.config().chunk);
        model.context_tokens = reader::default_context_tokens(engine.config());
        choices.model = model;
        store = storage::Store::open(o.folder + "/" + name, choices);
        spaces.push_back(store->open_space("o", "c", true));
        fill(model, tokens / model.chunk_tokens);
        store->rebuild_index();
    }

    void fill(const storage::ModelBinding& model, uint64_t chunks) {
        Numbers numbers;
        std::vector<float> states(size_t(model.chunk_tokens) * model.dim);
        for (float& v : states) v = numbers.normal();
        for (uint64_t done = 0; done < chunks;) {
            storage::DocumentSpec spec;
            spec.key = std::to_string(done);
            storage::Edit edit;
            edit.finish = true;
            for (int i = 0; i < 100 && done < chunks; ++i, ++done) {
                storage::SegmentRecord segment;
                segment.text = "segment " + std::to_string(done) + std::string(200, ' ');
                segment.identity = sha256(segment.text.data(), segment.text.size());
                storage::ChunkRecord chunk;
                chunk.bytes = {0, segment.text.size()};
                for (uint32_t t = 0; t < model.chunk_tokens; ++t)
                    chunk.tokens.push_back(int32_t(numbers.next() % 4000));
                for (uint32_t c = 0; c < model.dim; ++c) chunk.key.push_back(numbers.normal());
                std::rotate(states.begin(), states.begin() + 97, states.end());
                chunk.states = states;
                segment.chunks.push_back(std::move(chunk));
                edit.segments.push_back(std::move(segment));
            }
            spaces[0]->begin_document(spec)->commit(edit);
        }
    }
};

struct Cost {
    std::vector<double> wall_us, cpu_us;  // a token, one entry a generation
    uint64_t tokens = 0, retrievals = 0;
};

// Long enough that the session has whole chunks to ask with from the beginning.
std::string prompt() {
    std::string text;
    for (int i = 0; i < 12; ++i)
        text += "The reader goes on from here, line " + std::to_string(i) +
                ", and what it has read before is in its memory.\n";
    return text;
}

void generate(const std::shared_ptr<const engine::Engine>& engine, const Memory& memory,
              const Options& o, uint64_t seed, Cost& cost) {
    reader::Session session(engine, memory.store, memory.spaces, {});
    session.read(prompt());
    reader::GenerateOptions options;
    options.max_tokens = uint32_t(o.tokens);
    options.temperature = 1;
    options.seed = seed;
    double first_cpu = 0;
    const double begin_cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    const reader::GenerateResult result =
        session.generate(options, [&](const reader::GenerateEvent& event) {
            if (first_cpu == 0 && event.type == reader::GenerateEvent::Type::kText)
                first_cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
            return 0;
        });
    if (first_cpu == 0) first_cpu = begin_cpu;
    if (result.tokens < 2) return;
    const double n = double(result.tokens - 1);
    cost.cpu_us.push_back((clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - first_cpu) * 1e6 / n);
    cost.wall_us.push_back(double(result.total_us - result.first_token_us) / n);
    cost.tokens += result.tokens;
    cost.retrievals += result.retrievals;
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const size_t n = values.size();
    return n == 0 ? std::nan("") : (values[n / 2] + values[(n - 1) / 2]) / 2;
}

void tell(const Options& o, const Cost& small, const Cost& large) {
    const double wall[] = {median(small.wall_us), median(large.wall_us)};
    const double cpu[] = {median(small.cpu_us), median(large.cpu_us)};
    std::printf(o.json
                    ? "{\"small\": %llu, \"large\": %llu, \"generations\": %zu, \"tokens\": [%llu, "
                      "%llu], \"retrievals\": [%llu, %llu], \"wall_us\": [%.1f, %.1f], "
                      "\"wall_ratio\": %.4f, \"cpu_us\": [%.1f, %.1f], \"cpu_ratio\": %.4f}\n"
                    : "memories of %llu and %llu tokens, %zu generations each: %llu and %llu "
                      "tokens, %llu and %llu retrievals\na token: %.1f and %.1f us, ratio %.4f; "
                      "of processor time %.1f and %.1f us, ratio %.4f\n",
                (unsigned long long)o.small, (unsigned long long)o.large, small.wall_us.size(),
                (unsigned long long)small.tokens, (unsigned long long)large.tokens,
                (unsigned long long)small.retrievals, (unsigned long long)large.retrievals, wall[0],
                wall[1], wall[1] / wall[0], cpu[0], cpu[1], cpu[1] / cpu[0]);
}

}  // namespace

int main(int argc, char** argv) {
    const Options o = read_options(argc, argv);
    try {
        std::filesystem::remove_all(o.folder);
        std::filesystem::create_directories(o.folder);
        engine::set_torch_threads(o.threads);
        const auto engine = engine::open_torch_engine(o.model, {});
        const Memory small(*engine, o, "small", o.small), large(*engine, o, "large", o.large);
        Cost warm, of_small, of_large;
        generate(engine, small, o, 1, warm);
        generate(engine, large, o, 1, warm);
        for (uint64_t round = 0; round < o.rounds; ++round) {
            // Which one goes first alternates too.
            for (const bool is_small : {round % 2 == 0, round % 2 != 0})
                generate(engine, is_small ? small : large, o, 2 + round,
                         is_small ? of_small : of_large);
        }
        tell(o, of_small, of_large);
        small.store->close();
        large.store->close();
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "memory_cost_bench: %s\n", failure.what());
        return 1;
    }
    std::filesystem::remove_all(o.folder);
}
