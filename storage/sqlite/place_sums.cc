#include "storage/sqlite/place_sums.h"

#include "base/byte_order.h"
#include "base/crc32c.h"
#include "base/error.h"

namespace rpt::storage {
namespace {

constexpr size_t kMostAtOnce = 64;  // places or nodes of the highest level that one look reads

int64_t sql(uint64_t value) {
    return static_cast<int64_t>(value);
}

uint32_t seal_of(uint64_t document, uint32_t level, const PlaceNode& node) {
    ByteWriter bytes;
    bytes.u64(document).u64(level).u64(node.node).u64(node.sum.places).u64(node.sum.bytes);
    bytes.u64(node.sum.chunks).u64(node.sum.digest);
    return crc32c(bytes.str().data(), bytes.str().size());
}

void write_node(Connection& connection, uint64_t document, uint32_t level, const PlaceNode& node) {
    if (node.sum == PlaceSum{}) {
        Query(connection, "DELETE FROM place_sums WHERE document_id = ? AND level = ? AND node = ?")
            .bind(sql(document))
            .bind(level)
            .bind(sql(node.node))
            .run();
        return;
    }
    Query(connection,
          "INSERT OR REPLACE INTO place_sums(document_id, level, node, n_places, bytes, n_chunks, "
          "digest, seal) VALUES(?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(sql(document))
        .bind(level)
        .bind(sql(node.node))
        .bind(sql(node.sum.places))
        .bind(sql(node.sum.bytes))
        .bind(sql(node.sum.chunks))
        .bind(sql(node.sum.digest))
        .bind(seal_of(document, level, node))
        .run();
}

}  // namespace

PlaceSum& PlaceSum::operator+=(const PlaceSum& other) {
    places += other.places;
    bytes += other.bytes;
    chunks += other.chunks;
    digest += other.digest;
    return *this;
}

PlaceSum& PlaceSum::operator-=(const PlaceSum& other) {
    places -= other.places;
    bytes -= other.bytes;
    chunks -= other.chunks;
    digest -= other.digest;
    return *this;
}

PlaceSum sum_of(const Place& place) {
    return {1, place.bytes, place.chunks, place_digest(place)};
}

std::vector<PlaceNode> list_place_nodes(Connection& connection, uint64_t document, uint32_t level,
                                        uint64_t begin, uint64_t end) {
    std::vector<PlaceNode> nodes;
    Query query(connection,
                "SELECT node, n_places, bytes, n_chunks, digest, seal FROM place_sums WHERE "
                "document_id = ? AND level = ? AND node >= ? AND node < ? ORDER BY node");
    query.bind(sql(document)).bind(level).bind(sql(begin)).bind(sql(end));
    while (query.step()) {
        nodes.push_back(
            {query.count(0), {query.count(1), query.count(2), query.count(3), query.count(4)}});
        if (seal_of(document, level, nodes.back()) != query.count(5))
            throw Error(Status::kCorrupt, "rpt",
                        "store \"" + connection.label() + "\": checksum of the sums of document " +
                            std::to_string(document) +
                            " differs; restore a backup or delete and read it again");
    }
    return nodes;
}

uint32_t levels_for(size_t places) {
    uint32_t levels = 0;
    for (size_t most = kMostAtOnce; places > most && levels < kMostLevels; most <<= 5) ++levels;
    return levels;
}

void build_place_sums(Connection& connection, uint64_t document, std::span<const Place> places,
                      uint32_t from, uint32_t to) {
    for (uint32_t level = from + 1; level <= to; ++level) {
        PlaceNode node;
        for (const Place& place : places) {
            const uint64_t at = place.place / place_span(level);
            if (at != node.node && node.sum.places > 0) {
                write_node(connection, document, level, node);
                node = {};
            }
            node.node = at;
            node.sum += sum_of(place);
        }
        if (node.sum.places > 0) write_node(connection, document, level, node);
    }
}

void erase_place_sums(Connection& connection, uint64_t document) {
    Query(connection, "DELETE FROM place_sums WHERE document_id = ?").bind(sql(document)).run();
}

void PlaceChanges::note(const Place& place, bool added) {
    for (uint32_t level = 1; level <= kMostLevels; ++level) {
        PlaceSum& sum = nodes_[{level, place.place / place_span(level)}];
        if (added) {
            sum += sum_of(place);
        } else {
            sum -= sum_of(place);
        }
    }
}

void PlaceChanges::write(Connection& connection, uint64_t document, uint32_t levels) const {
    for (const auto& [key, change] : nodes_) {
        const auto& [level, at] = key;
        if (level > levels || change == PlaceSum{}) continue;
        PlaceNode node{at, change};
        for (const PlaceNode& old : list_place_nodes(connection, document, level, at, at + 1))
            node.sum += old.sum;
        write_node(connection, document, level, node);
    }
}

}  // namespace rpt::storage
