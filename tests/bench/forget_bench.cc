// How long forgetting takes: a short and a long document out of a store of 1M tokens, and
// compaction.
//
//   forget_bench [--folder F] [--flat_limit N] [--rounds N]
//
// Chunks of 64 tokens and 256 values; 1M tokens are 15,625 chunks, a document of 4,000 tokens
// is 63.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "storage/store.h"
#include "tests/fakes/synthetic_segments.h"

namespace rpt::storage {
namespace {

constexpr synthetic::Shape kShape{256, 64};
constexpr uint64_t kShortChunks = 63, kLongChunks = 15625;
constexpr uint32_t kChunksOfSegment = 8;

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

void write(Space& space, const std::string& key, uint64_t& seed, uint64_t chunks) {
    DocumentSpec spec;
    spec.key = key;
    const auto writer = space.begin_document(spec);
    uint64_t place = 0;
    for (uint64_t done = 0; done < chunks;) {
        Edit edit;
        edit.first = place;
        for (int i = 0; i < 16 && done < chunks; ++i, ++place) {
            const auto n =
                static_cast<uint32_t>(std::min<uint64_t>(kChunksOfSegment, chunks - done));
            edit.segments.push_back(synthetic::segment_of({seed++, n, false}, kShape));
            done += n;
        }
        edit.finish = done == chunks;
        writer->commit(edit);
    }
}

// Milliseconds of one call.
template <typename Call>
double timed(Call&& call) {
    const double begin = seconds();
    call();
    return (seconds() - begin) * 1e3;
}

void run(const std::string& folder, uint32_t flat_limit, int rounds) {
    const std::string path = folder + "/rpt_forget_bench";
    std::filesystem::remove_all(path);
    StoreOptions options;
    options.create = true;
    options.model = synthetic::model_of(kShape);
    options.flat_limit = flat_limit;
    auto store = Store::open(path, options);
    const auto space = store->open_space("owner", "collection", true);
    uint64_t seed = 1;
    for (uint64_t i = 0; i < kLongChunks / kShortChunks; ++i)
        write(*space, "short " + std::to_string(i), seed, kShortChunks);
    const std::vector<float> query(kShape.dim, 0.1f);
    const auto search = [&] { store->search({&space, 1}, query, 8, {}); };
    search();
    std::vector<double> shorts;
    for (int i = 0; i < 10 * rounds; ++i)
        shorts.push_back(timed([&] { space->delete_document("short " + std::to_string(i)); }));
    std::ranges::sort(shorts);
    std::printf("delete 4,000 tokens: median %.2f ms, worst %.2f ms of %zu\n",
                shorts[shorts.size() / 2], shorts.back(), shorts.size());
    for (int i = 0; i < rounds; ++i) {
        write(*space, "long", seed, kLongChunks);
        search();
        std::printf("delete 1M tokens: %.1f ms", timed([&] { space->delete_document("long"); }));
        std::printf(", the search after it %.1f ms", timed(search));
        std::printf(", compact %.0f ms\n", timed([&] { store->compact(); }));
    }
    store->close();
    std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace rpt::storage

int main(int argc, char** argv) {
    std::string folder = std::filesystem::temp_directory_path();
    uint32_t flat_limit = 0;
    int rounds = 3;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--folder") folder = argv[i + 1];
        if (option == "--flat_limit")
            flat_limit = static_cast<uint32_t>(std::strtoul(argv[i + 1], nullptr, 10));
        if (option == "--rounds") rounds = std::atoi(argv[i + 1]);
    }
    rpt::storage::run(folder, flat_limit, rounds);
    return 0;
}
