#include "storage/index_cache.h"

#include <cstdio>
#include <memory>
#include <vector>

#include "base/atomic_file.h"
#include "base/byte_order.h"
#include "base/crc32c.h"
#include "storage/blob_codec.h"

namespace rpt::storage {
namespace {

// On disk, never renumber.
constexpr uint64_t kMagic = 0x3158444954505200;  // 00 "RPTIDX1" read as little-endian
constexpr uint32_t kVersion = 1;

struct FileCloser {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

std::optional<std::string> read_file(const std::string& path) {
    const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "rbe"));
    if (!file || std::fseek(file.get(), 0, SEEK_END) != 0) return std::nullopt;
    const long size = std::ftell(file.get());
    if (size < 0 || std::fseek(file.get(), 0, SEEK_SET) != 0) return std::nullopt;
    std::string bytes(static_cast<size_t>(size), '\0');
    if (std::fread(bytes.data(), 1, bytes.size(), file.get()) != bytes.size()) return std::nullopt;
    return bytes;
}

void write_segment(ByteWriter& out, const Segment& segment) {
    const KeyRows& rows = *segment.rows;
    const std::string zeros(size_t(rows.dim()) * 2, '\0');
    out.u64(rows.size());
    for (size_t row = 0; row < rows.size(); ++row) {
        const RowFacts& facts = rows.facts(row);
        out.u64(facts.chunk)
            .u64(facts.document)
            .u64(facts.key_hash)
            .u64(facts.bytes.begin)
            .u64(facts.bytes.end);
        out.u32(facts.seal).u8(segment.is_live(row));
        if (segment.is_live(row)) {
            out.raw(rows.key(row), zeros.size());
        } else {
            out.raw(zeros.data(), zeros.size());
        }
    }
    const std::string graph = segment.graph ? segment.graph->serialise() : std::string();
    out.u64(graph.size()).raw(graph.data(), graph.size());
}

std::optional<Segment> read_segment(ByteReader& in, uint32_t dim) {
    const uint64_t n = in.u64();
    constexpr size_t kFactBytes = 5 * 8 + 4 + 1;
    if (!in.ok() || n == 0 || n > in.left() / (kFactBytes + size_t(dim) * 2)) return std::nullopt;
    auto rows = std::make_shared<KeyRows>(dim);
    rows->reserve(n);
    auto dead = std::make_shared<DeadRows>();
    dead->bits.resize((n + 63) / 64);
    uint64_t previous = 0;
    for (size_t row = 0; row < n; ++row) {
        RowFacts facts;
        facts.chunk = in.u64();
        facts.document = in.u64();
        facts.key_hash = in.u64();
        facts.bytes.begin = in.u64();
        facts.bytes.end = in.u64();
        facts.seal = in.u32();
        if (in.u8() == 0) {
            dead->bits[row / 64] |= uint64_t(1) << (row % 64);
            ++dead->n;
        }
        const std::string_view key = in.raw(size_t(dim) * 2);
        if (!in.ok() || facts.chunk <= previous) return std::nullopt;
        previous = facts.chunk;
        rows->push(facts, key);
    }
    const uint64_t graph_bytes = in.u64();
    const std::string_view graph = in.raw(graph_bytes);
    if (!in.ok()) return std::nullopt;
    Segment segment{rows, nullptr, nullptr};
    if (dead->n > 0) segment.dead = dead;
    if (graph_bytes > 0) {
        segment.graph = HnswGraph::parse(graph, n);
        if (!segment.graph) return std::nullopt;
    }
    return segment;
}

}  // namespace

void write_index_cache(const std::string& file, uint64_t space, uint32_t dim,
                       const Snapshot& snapshot) {
    ByteWriter out;
    out.u64(kMagic).u32(kVersion).u32(dim).u64(space).u64(snapshot.generation).u64(snapshot.digest);
    out.u64(snapshot.newest_chunk).u32(static_cast<uint32_t>(snapshot.segments.size()));
    for (const Segment& segment : snapshot.segments) write_segment(out, segment);
    out.u32(crc32c(out.str().data(), out.str().size()));
    AtomicFile target(file);
    target.write(out.str().data(), out.str().size());
    target.commit();
}

std::optional<Snapshot> read_index_cache(const std::string& file, uint64_t space, uint32_t dim) {
    const std::optional<std::string> bytes = read_file(file);
    if (!bytes || bytes->size() < 4) return std::nullopt;
    const std::string_view body = std::string_view(*bytes).substr(0, bytes->size() - 4);
    if (ByteReader(std::string_view(*bytes).substr(body.size())).u32() !=
        crc32c(body.data(), body.size()))
        return std::nullopt;
    ByteReader in(body);
    if (in.u64() != kMagic || in.u32() != kVersion || in.u32() != dim || in.u64() != space)
        return std::nullopt;
    Snapshot snapshot;
    snapshot.generation = in.u64();
    snapshot.digest = in.u64();
    snapshot.newest_chunk = in.u64();
    const uint32_t segments = in.u32();
    uint64_t digest = 0;
    for (uint32_t i = 0; i < segments; ++i) {
        std::optional<Segment> segment = read_segment(in, dim);
        if (!segment) return std::nullopt;
        for (size_t row = 0; row < segment->rows->size(); ++row)
            if (segment->is_live(row))
                digest +=
                    digest_part(segment->rows->facts(row).chunk, segment->rows->facts(row).seal);
        snapshot.segments.push_back(std::move(*segment));
    }
    if (!in.ok() || in.left() != 0 || digest != snapshot.digest) return std::nullopt;
    return snapshot;
}

}  // namespace rpt::storage
