// Target index: a damaged index file is not believed, or what it gives can be searched, changed and
// written again.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_order.h"
#include "base/crc32c.h"
#include "storage/codec/blob_codec.h"
#include "base/dot_rows.h"
#include "storage/index/index_cache.h"
#include "storage/index/snapshot_search.h"
#include "tests/fakes/synthetic_segments.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/input_bytes.h"
#include "tests/fuzz/scratch_folder.h"

namespace rpt::fuzz {
namespace {

using namespace storage;

constexpr uint32_t kDim = 4;
constexpr uint64_t kSpace = 3;
const std::atomic<bool> kNever{false};

std::shared_ptr<const KeyRows> make_rows(size_t n, uint64_t first_chunk) {
    auto rows = std::make_shared<KeyRows>(kDim);
    synthetic::Numbers numbers(first_chunk);
    for (size_t i = 0; i < n; ++i)
        rows->push({first_chunk + i, 1 + i / 4, uint32_t(i)}, encode_key(numbers.vector(kDim)));
    return rows;
}

// Two runs, the first with a graph that has upper nodes; one row is dead.
std::string make_file(const ScratchFolder& folder) {
    Snapshot snapshot;
    snapshot.generation = 42;
    RowRun run{make_rows(60, 1), nullptr, nullptr};
    run.graph = HnswGraph::build(*run.rows, 1, kNever);
    snapshot.runs.push_back(run);
    append_rows(snapshot, make_rows(5, 100));
    mark_dead(snapshot, std::vector<uint64_t>{7});
    snapshot.newest_chunk = 104;
    for (const RowRun& part : snapshot.runs)
        for (size_t row = 0; row < part.rows->size(); ++row)
            if (part.is_live(row))
                snapshot.digest +=
                    digest_part(part.rows->facts(row).chunk, part.rows->facts(row).seal);
    const std::string file = folder.path("made.idx");
    write_index_cache(file, kSpace, kDim, snapshot, 0600);
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// Numbers of a file at a place, as docs/format/index.md says.
uint64_t number_at(const std::string& file, size_t at, size_t width) {
    uint64_t value = 0;
    for (size_t i = 0; i < width && at + i < file.size(); ++i)
        value |= uint64_t(uint8_t(file[at + i])) << (8 * i);
    return value;
}
void set_number(std::string& file, size_t at, uint64_t value, size_t width) {
    for (size_t i = 0; i < width && at + i < file.size(); ++i)
        file[at + i] = char(uint8_t(value >> (8 * i)));
}

constexpr size_t kHeader = 64, kEntry = 64, kFact = 21;

size_t aligned(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

// Makes every checksum and the digest right again, so that what they guard is looked at.
void mend_checksums(std::string& file) {
    if (file.size() < kHeader) return;
    const size_t runs = std::min<size_t>(number_at(file, 48, 4), (file.size() - kHeader) / kEntry);
    size_t at = kHeader + runs * kEntry;
    uint64_t digest = 0;
    for (size_t run = 0; run < runs; ++run) {
        const size_t entry = kHeader + run * kEntry;
        const uint64_t rows = number_at(file, entry, 8), graph = number_at(file, entry + 8, 4),
                       nodes = number_at(file, entry + 16, 4),
                       lists = number_at(file, entry + 20, 4);
        if (rows > file.size() || nodes > file.size() || lists > file.size() || graph > 1) break;
        const size_t sizes[] = {rows * kFact, rows * padded_columns(kDim) * 2,
                                graph * rows * 32 * 4, graph * 4 * (2 * nodes + 1 + 16 * lists)};
        for (size_t section = 0; section < 4; ++section) {
            const size_t size = aligned(sizes[section]);
            if (size > file.size() - at) break;
            set_number(file, entry + 24 + 4 * section, crc32c(file.data() + at, size, 0), 4);
            for (size_t row = 0; section == 0 && row < rows; ++row)
                if (number_at(file, at + row * kFact + 20, 1) != 0)
                    digest += digest_part(number_at(file, at + row * kFact, 8),
                                          uint32_t(number_at(file, at + row * kFact + 16, 4)));
            at += size;
        }
    }
    set_number(file, 32, digest, 8);
    const size_t table = kHeader + runs * kEntry;
    set_number(file, 60, crc32c(file.data() + kHeader, table - kHeader, crc32c(file.data(), 60, 0)),
               4);
}

void damage(std::string& file, InputBytes& in) {
    switch (in.below(6)) {
        case 0: {  // header and table
            const size_t at = in.below(kHeader + 2 * kEntry);
            set_number(file, at, in.number(4), 4);
            break;
        }
        case 1: {  // anywhere, a number of four bytes
            const size_t at = in.below(file.size() + 1) / 4 * 4;
            set_number(file, at, in.below(70), 4);
            break;
        }
        case 2: {
            const size_t at = in.below(file.size() + 1);
            const std::string_view bytes = in.take(in.below(24) + 1);
            file.replace(at, std::min(bytes.size(), file.size() - at),
                         bytes.substr(0, file.size() - at));
            break;
        }
        case 3:
            file.resize(in.below(file.size() + 1));
            break;
        case 4:
            file.append(in.below(300), char(in.byte()));
            break;
        default: {
            const size_t at = in.below(file.size() + 1) / 64 * 64;
            file.insert(at, in.below(4) * 64, '\0');
        }
    }
}

// Lets everything through; each row is a document of its own.
class NoFilter final : public RowFilter {
  public:
    bool excludes_some() const override { return false; }
    bool is_excluded(const RowFacts&) override { return false; }
    uint64_t document_of(const RowFacts& facts) override { return facts.chunk; }
};

std::vector<Hit> search(const Snapshot& snapshot, uint64_t seed, size_t k, bool exact) {
    const auto shared = std::make_shared<const Snapshot>(snapshot);
    SearchFilter filter;
    filter.exact = exact;
    filter.weigh_by_idf = seed % 2 == 1;
    filter.max_per_document = seed % 3 == 1;
    NoFilter documents;
    return search_snapshots({&shared, 1}, synthetic::Numbers(seed).vector(kDim), k, filter,
                            documents, {});
}

void check_snapshot(const Snapshot& snapshot, bool exact) {
    for (const uint64_t seed : {1, 2, 3}) {
        const std::vector<Hit> hits = search(snapshot, seed, 5, exact);
        expect(hits.size() <= 5, "more hits than were asked for");
        std::set<uint64_t> seen;
        for (const Hit& hit : hits) {
            size_t row = 0;
            expect(snapshot.find(hit.chunk_id, row) != nullptr, "a hit that is no live row");
            seen.insert(hit.chunk_id);
        }
    }
}

size_t live_rows(const Snapshot& snapshot) {
    size_t n = 0;
    for (const RowRun& run : snapshot.runs)
        for (size_t row = 0; row < run.rows->size(); ++row) n += run.is_live(row);
    return n;
}

}  // namespace

// Input: whether checksums are right, number of changes, the changes, rows to add and to take away.
void run_index(InputBytes in) {
    static const ScratchFolder folder;
    static const std::string& kWhole = *new std::string(make_file(folder));
    std::string file = kWhole;
    const bool right_checksums = in.below(8) != 0;
    const uint64_t changes = in.below(5);
    for (uint64_t i = 0; i < changes; ++i) damage(file, in);
    if (right_checksums) mend_checksums(file);
    std::optional<Snapshot> snapshot;
    const std::string path = folder.write("given.idx", file);
    expect(accepts([&] { snapshot = read_index_cache(path, kSpace, kDim); }),
           "a damaged index is an error and not merely absent");
    if (changes == 0) expect(snapshot.has_value(), "a sound index is not believed");
    if (!snapshot) return;
    expect(snapshot->live() == live_rows(*snapshot),
           "the number of live rows is not that of the rows");
    check_snapshot(*snapshot, false);
    check_snapshot(*snapshot, true);

    const std::string again = folder.path("again.idx");
    write_index_cache(again, kSpace, kDim, *snapshot, 0600);
    const auto second = read_index_cache(again, kSpace, kDim);
    expect(second.has_value(), "what was read cannot be written and read again");
    expect(second->live() == snapshot->live() && second->runs.size() == snapshot->runs.size(),
           "rows were lost in writing");

    uint64_t chunk = snapshot->newest_chunk;
    for (const RowRun& run : snapshot->runs)
        if (run.rows->size() > 0)
            chunk = std::max(chunk, run.rows->facts(run.rows->size() - 1).chunk);
    if (chunk > UINT64_MAX / 2) return;
    append_rows(*snapshot, make_rows(1 + in.below(40), chunk + 1));
    const uint64_t dead[] = {1 + in.below(60), 100 + in.below(5), chunk + 1};
    mark_dead(*snapshot, dead);
    check_snapshot(*snapshot, in.below(2) == 0);
    const auto merged = merge_rows(snapshot->runs, kDim);
    expect(merged->size() == snapshot->live(), "merging loses rows");
    adopt_merged(*snapshot, {merged, HnswGraph::build(*merged, 1, kNever), nullptr}, {});
    check_snapshot(*snapshot, false);
}

}  // namespace rpt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    rpt::fuzz::run_index(rpt::fuzz::InputBytes(data, size));
    return 0;
}
