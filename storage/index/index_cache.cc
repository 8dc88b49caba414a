#include "storage/index/index_cache.h"

#include <bit>
#include <memory>
#include <span>
#include <vector>

#include "base/atomic_file.h"
#include "base/byte_order.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/file_bytes.h"
#include "storage/codec/blob_codec.h"
#include "base/dot_rows.h"

namespace rpt::storage {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are used as they are");

// On disk, never renumber.
constexpr uint64_t kMagic = 0x3158444954505200;  // 00 "RPTIDX1" read as little-endian
constexpr uint32_t kVersion = 2;
constexpr size_t kAlign = 64;  // of sections: a cache line
constexpr size_t kHeaderBytes = 64;
constexpr size_t kEntryBytes = 64;  // of a run in the table
constexpr size_t kFactBytes = 2 * 8 + 4 + 1;
constexpr size_t kRowsAtOnce = 4096;

constexpr size_t aligned(size_t bytes) {
    return (bytes + kAlign - 1) / kAlign * kAlign;
}

void write_facts(ByteWriter& out, const RowFacts& facts, bool live) {
    out.u64(facts.chunk).u64(facts.segment).u32(facts.seal).u8(live);
}

RowFacts read_facts(ByteReader& in, bool& live) {
    RowFacts facts;
    facts.chunk = in.u64();
    facts.segment = in.u64();
    facts.seal = in.u32();
    live = in.u8() != 0;
    return facts;
}

// The parts of a run in the order of the file.
enum Section { kFacts, kKeys, kGround, kUpper, kSections };

// What the table says of a run.
struct Entry {
    uint64_t rows = 0;
    uint32_t has_graph = 0;
    uint32_t graph_entry = 0;
    uint32_t upper_nodes = 0;
    uint32_t upper_lists = 0;
    uint32_t crc[kSections] = {};

    // Without padding. No overflow: reading has compared the counts with the size of the file.
    size_t bytes(int section, uint32_t dim) const {
        switch (section) {
            case kFacts:
                return rows * kFactBytes;
            case kKeys:
                return rows * padded_columns(dim) * sizeof(uint16_t);
            case kGround:
                return has_graph * rows * HnswGraph::kGroundLinks * sizeof(uint32_t);
            default:
                return has_graph * sizeof(uint32_t) *
                       (size_t(upper_nodes) * 2 + 1 + size_t(upper_lists) * HnswGraph::kUpperLinks);
        }
    }
};

void write_entry(ByteWriter& out, const Entry& entry) {
    out.u64(entry.rows).u32(entry.has_graph).u32(entry.graph_entry);
    out.u32(entry.upper_nodes).u32(entry.upper_lists);
    for (const uint32_t crc : entry.crc) out.u32(crc);
    for (int i = 0; i < 6; ++i) out.u32(0);
}

Entry read_entry(ByteReader& in) {
    Entry entry;
    entry.rows = in.u64();
    entry.has_graph = in.u32();
    entry.graph_entry = in.u32();
    entry.upper_nodes = in.u32();
    entry.upper_lists = in.u32();
    for (uint32_t& crc : entry.crc) crc = in.u32();
    in.raw(6 * 4);
    return entry;
}

// Gives the bytes of a section, piece by piece, to `put(data, size)`.
template <typename Put>
void produce(const RowRun& run, int section, Put&& put) {
    const KeyRows& rows = *run.rows;
    const auto put_array = [&](std::span<const uint32_t> numbers) {
        put(numbers.data(), numbers.size_bytes());
    };
    const std::vector<uint16_t> zeros(rows.columns());
    ByteWriter facts;
    switch (section) {
        case kFacts:
            for (size_t row = 0; row < rows.size(); ++row) {
                write_facts(facts, rows.facts(row), run.is_live(row));
                if ((row + 1) % kRowsAtOnce != 0 && row + 1 != rows.size()) continue;
                put(facts.str().data(), facts.str().size());
                facts.str().clear();
            }
            break;
        case kKeys:
            for (size_t row = 0; row < rows.size();) {
                size_t end = row;
                while (end < rows.size() && end - row < kRowsAtOnce && run.is_live(end)) ++end;
                if (end > row) put(rows.key(row), (end - row) * rows.columns() * sizeof(uint16_t));
                row = end;
                if (row == rows.size() || run.is_live(row)) continue;
                put(zeros.data(), zeros.size() * sizeof(uint16_t));
                ++row;
            }
            break;
        case kGround:
            if (run.graph) put_array(run.graph->links().ground);
            break;
        default:
            if (!run.graph) break;
            put_array(run.graph->links().upper_rows);
            put_array(run.graph->links().upper_lists);
            put_array(run.graph->links().upper);
    }
}

// The same with zeros up to the next multiple of kAlign.
template <typename Put>
void produce_aligned(const RowRun& run, int section, Put&& put) {
    size_t size = 0;
    produce(run, section, [&](const void* data, size_t n) {
        put(data, n);
        size += n;
    });
    const char zeros[kAlign] = {};
    put(zeros, aligned(size) - size);
}

Entry describe(const RowRun& run) {
    Entry entry;
    entry.rows = run.rows->size();
    if (run.graph) {
        const HnswGraph::Links& links = run.graph->links();
        entry.has_graph = 1;
        entry.graph_entry = links.entry;
        entry.upper_nodes = static_cast<uint32_t>(links.upper_rows.size());
        entry.upper_lists = links.upper_lists.back();
    }
    for (int section = 0; section < kSections; ++section)
        produce_aligned(run, section, [&](const void* data, size_t size) {
            entry.crc[section] = crc32c(data, size, entry.crc[section]);
        });
    return entry;
}

// A run whose keys and links are views of the file. Absent if anything differs.
std::optional<RowRun> read_run(const std::shared_ptr<const FileBytes>& file, uint32_t dim,
                               const Entry& entry, size_t& offset, uint64_t& digest) {
    const std::string_view all(reinterpret_cast<const char*>(file->bytes().data()),
                               file->bytes().size());
    // Bounds the counts, so that sizes computed from them do not overflow.
    if (entry.rows == 0 || entry.has_graph > 1 || entry.upper_nodes > entry.rows ||
        entry.rows > all.size() / kFactBytes || entry.upper_lists > all.size() / 64)
        return std::nullopt;
    std::string_view sections[kSections];
    for (int section = 0; section < kSections; ++section) {
        const size_t bytes = entry.bytes(section, dim);
        if (aligned(bytes) > all.size() - offset) return std::nullopt;
        if (crc32c(all.data() + offset, aligned(bytes)) != entry.crc[section]) return std::nullopt;
        sections[section] = all.substr(offset, bytes);
        offset += aligned(bytes);
    }

    std::vector<RowFacts> facts;
    facts.reserve(entry.rows);
    auto dead = std::make_shared<DeadRows>();
    dead->bits.resize((entry.rows + 63) / 64);
    ByteReader in(sections[kFacts]);
    for (size_t row = 0; row < entry.rows; ++row) {
        bool live;
        facts.push_back(read_facts(in, live));
        if (facts[row].chunk <= (row == 0 ? 0 : facts[row - 1].chunk)) return std::nullopt;
        if (live) {
            digest += digest_part(facts[row].chunk, facts[row].seal);
        } else {
            dead->bits[row / 64] |= uint64_t(1) << (row % 64);
            ++dead->n;
        }
    }
    RowRun run;
    run.rows = std::make_shared<KeyRows>(
        dim, std::move(facts), reinterpret_cast<const uint16_t*>(sections[kKeys].data()), file);
    if (dead->n > 0) run.dead = dead;
    if (entry.has_graph != 0) {
        const auto numbers = [](std::string_view bytes) {
            return std::span(reinterpret_cast<const uint32_t*>(bytes.data()), bytes.size() / 4);
        };
        const std::span<const uint32_t> upper = numbers(sections[kUpper]);
        const size_t nodes = entry.upper_nodes;
        const HnswGraph::Links links{numbers(sections[kGround]), upper.first(nodes),
                                     upper.subspan(nodes, nodes + 1), upper.subspan(nodes * 2 + 1),
                                     entry.graph_entry};
        run.graph = HnswGraph::view(links, entry.rows, file);
        if (!run.graph) return std::nullopt;
    }
    return run;
}

std::shared_ptr<const FileBytes> read_all(const std::string& path) {
    try {
        return std::make_shared<const FileBytes>(path, FileBytes::Links::kRefuse);
    } catch (const Error&) {
        return nullptr;
    }
}

}  // namespace

void write_index_cache(const std::string& file, uint64_t space, uint32_t dim,
                       const Snapshot& snapshot, mode_t mode) {
    ByteWriter table;
    for (const RowRun& run : snapshot.runs) write_entry(table, describe(run));
    ByteWriter header;
    header.u64(kMagic).u32(kVersion).u32(dim).u64(space).u64(snapshot.generation);
    header.u64(snapshot.digest).u64(snapshot.newest_chunk);
    header.u32(static_cast<uint32_t>(snapshot.runs.size())).u32(0).u32(0);
    header.u32(crc32c(table.str().data(), table.str().size(),
                      crc32c(header.str().data(), header.str().size())));
    AtomicFile target(file, mode);
    target.write(header.str().data(), header.str().size());
    target.write(table.str().data(), table.str().size());
    for (const RowRun& run : snapshot.runs)
        for (int section = 0; section < kSections; ++section)
            produce_aligned(run, section,
                            [&](const void* data, size_t size) { target.write(data, size); });
    target.commit();
}

std::optional<Snapshot> read_index_cache(const std::string& file, uint64_t space, uint32_t dim) {
    const std::shared_ptr<const FileBytes> read = read_all(file);
    if (!read || read->bytes().size() < kHeaderBytes) return std::nullopt;
    const std::string_view all(reinterpret_cast<const char*>(read->bytes().data()),
                               read->bytes().size());
    ByteReader in(all);
    if (in.u64() != kMagic || in.u32() != kVersion || in.u32() != dim || in.u64() != space)
        return std::nullopt;
    Snapshot snapshot;
    snapshot.generation = in.u64();
    snapshot.digest = in.u64();
    snapshot.newest_chunk = in.u64();
    const uint32_t runs = in.u32();
    in.raw(8);
    const uint32_t crc = in.u32();
    if (runs > in.left() / kEntryBytes) return std::nullopt;
    size_t offset = kHeaderBytes + runs * kEntryBytes;
    if (crc != crc32c(all.data() + kHeaderBytes, offset - kHeaderBytes,
                      crc32c(all.data(), kHeaderBytes - 4)))
        return std::nullopt;
    uint64_t digest = 0;
    for (uint32_t i = 0; i < runs; ++i) {
        std::optional<RowRun> run = read_run(read, dim, read_entry(in), offset, digest);
        if (!run) return std::nullopt;
        snapshot.runs.push_back(std::move(*run));
    }
    if (offset != all.size() || digest != snapshot.digest) return std::nullopt;
    return snapshot;
}

}  // namespace rpt::storage
