// What a store pays for small steps: closing after one added document, opening after a process was
// killed, describing a hit of a long document, reading one in pieces. A plain program:
//     store_steps_bench [CHUNKS [SEGMENTS]]
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "storage/store.h"
#include "tests/fakes/synthetic_segments.h"

namespace rpt::storage {
namespace {

constexpr uint32_t kKeyDim = 64;

// Handed to write() and its kin by this process so far.
uint64_t bytes_written() {
    std::ifstream in("/proc/self/io");
    std::string name;
    uint64_t value = 0;
    while (in >> name >> value)
        if (name == "wchar:") return value;
    return 0;
}

struct Cost {
    double ms = 0, cpu_ms = 0;
    uint64_t written = 0;
};
double cpu_ms() {
    rusage use{};
    ::getrusage(RUSAGE_SELF, &use);
    const auto ms = [](const timeval& t) {
        return double(t.tv_sec) * 1e3 + double(t.tv_usec) / 1e3;
    };
    return ms(use.ru_utime) + ms(use.ru_stime);
}
Cost cost_of(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    const double cpu = cpu_ms();
    const uint64_t written = bytes_written();
    work();
    Cost cost;
    cost.written = bytes_written() - written;
    cost.cpu_ms = cpu_ms() - cpu;
    cost.ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    return cost;
}
void say(const char* what, const Cost& cost) {
    std::printf("%-52s %9.1f ms, %9.1f ms of processor, %10llu bytes written\n", what, cost.ms,
                cost.cpu_ms, static_cast<unsigned long long>(cost.written));
    std::fflush(stdout);
}

class Steps {
  public:
    explicit Steps(std::string path) : path_(std::move(path)) {
        options_.create = true;
        options_.durability = Durability::kNone;
        options_.model = synthetic::model_of({8, 8});
        options_.model->key_dim = kKeyDim;
    }
    std::shared_ptr<Store> open() const { return Store::open(path_, options_); }
    SegmentRecord segment(size_t chunks) {
        SegmentRecord made;
        for (size_t i = 0; i < chunks; ++i) {
            ChunkRecord chunk;
            chunk.bytes = {i * 32, (i + 1) * 32};
            for (int t = 0; t < 8; ++t)
                chunk.tokens.push_back(static_cast<int32_t>(numbers_.below(50000)));
            chunk.key = numbers_.vector(kKeyDim);
            chunk.states = numbers_.vector(64);
            made.chunks.push_back(std::move(chunk));
            for (int c = 0; c < 32; ++c) made.text += static_cast<char>('a' + numbers_.below(26));
        }
        made.identity = sha256(made.text.data(), made.text.size());
        return made;
    }
    void add(Space& space, const std::string& key, size_t segments, size_t chunks) {
        DocumentSpec spec;
        spec.key = key;
        const auto writer = space.begin_document(spec);
        Edit edit;
        for (size_t i = 0; i < segments; ++i) {
            edit.segments.push_back(segment(chunks));
            edit.finish = i + 1 == segments;
            if (edit.segments.size() < 256 && !edit.finish) continue;
            writer->commit(edit);
            edit.first += edit.segments.size();
            edit.segments.clear();
        }
    }
    std::vector<Hit> search(Store& store, const std::shared_ptr<Space>& space, size_t k) {
        return store.search({&space, 1}, numbers_.vector(kKeyDim), k, {});
    }
    const std::string& path() const { return path_; }

  private:
    const std::string path_;
    StoreOptions options_;
    synthetic::Numbers numbers_{5};
};

// A child that adds a document, deletes another and ends without closing.
void killed_writer(Steps& steps) {
    const pid_t child = ::fork();
    if (child == 0) {
        auto store = steps.open();
        auto space = store->open_space("o", "c", false);
        steps.search(*store, space, 1);
        steps.add(*space, "by the killed one", 1, 16);
        space->delete_document("7");
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
}

void index_steps(Steps& steps, size_t chunks) {
    std::printf("a space of %zu chunks, keys of %u numbers\n", chunks, kKeyDim);
    {
        auto store = steps.open();
        auto space = store->open_space("o", "c", true);
        for (size_t n = 0; n * 160 < chunks; ++n) steps.add(*space, std::to_string(n), 10, 16);
        say("building the graph and its file", cost_of([&] { store->rebuild_index(); }));
        store->close();
    }
    std::printf(
        "index file: %llu bytes\n",
        static_cast<unsigned long long>(std::filesystem::file_size(steps.path() + "/index/1.idx")));
    std::shared_ptr<Store> store;
    const auto open_and_search = [&] {
        store = steps.open();
        steps.search(*store, store->open_space("o", "c", false), 8);
    };
    say("open and first search", cost_of(open_and_search));
    steps.add(*store->open_space("o", "c", false), "small", 1, 16);
    say("close after one added document", cost_of([&] { store->close(); }));
    store.reset();
    killed_writer(steps);
    say("open and first search after a kill", cost_of(open_and_search));
    store->open_space("o", "c", false)->delete_document("8");
    say("close after a deletion", cost_of([&] { store->close(); }));
}

void long_document(Steps& steps, size_t segments) {
    std::printf("a document of %zu segments\n", segments);
    auto store = steps.open();
    auto space = store->open_space("o", "long", true);
    say("writing it", cost_of([&] { steps.add(*space, "long", segments, 2); }));
    const auto hits = steps.search(*store, space, 200);
    say("describing 200 hits", cost_of([&] {
            for (const Hit& hit : hits) store->describe(hit.chunk_id);
        }));
    say("states of 200 hits", cost_of([&] { store->load_states(hits); }));
    say("reading 500 pieces of 64 bytes", cost_of([&] {
            for (uint64_t i = 0; i < 500; ++i)
                space->read_text("long", i * segments * 64 / 500, 64);
        }));
    const auto writer = space->resume_document("long");
    say("20 insertions in the middle", cost_of([&] {
            for (size_t i = 0; i < 20; ++i) {
                Edit edit;
                edit.first = segments / 2 + i;
                edit.segments.push_back(steps.segment(2));
                writer->commit(edit);
            }
        }));
}

}  // namespace
}  // namespace rpt::storage

int main(int argc, char** argv) {
    std::string folder =
        (std::filesystem::temp_directory_path() / "rpt_store_steps_XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) return 1;
    {
        rpt::storage::Steps steps(folder + "/store");
        index_steps(steps, argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 50000);
        long_document(steps, argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20000);
    }
    std::filesystem::remove_all(folder);
    return 0;
}
