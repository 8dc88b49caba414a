#include "storage/sqlite/chunk_documents.h"

#include <algorithm>

#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/chunk_table.h"
#include "storage/sqlite/segment_table.h"

namespace rpt::storage {

ChunkDocuments::ChunkDocuments(Connection& connection, const SearchFilter& filter,
                               const std::set<uint64_t>& spaces)
    : connection_(connection), filter_(filter) {
    if (filter.exclude_key.empty()) return;
    for (const uint64_t space : spaces) {
        const auto document = find_document_row(connection, space, filter.exclude_key, false);
        if (!document) continue;
        excluded_documents_.insert(document->info.id);
        uint64_t begin = 0;
        for (const Place& place : list_places(connection, document->info.id, document->places)) {
            excluded_[place.segment].push_back({document->info.id, begin});
            begin += place.bytes;
        }
    }
}

bool ChunkDocuments::is_excluded(const RowFacts& facts) {
    const auto found = excluded_.find(facts.segment);
    if (found == excluded_.end()) return false;
    if (!filter_.exclude_bytes.empty()) {
        const auto chunk = read_chunk_row(connection_, facts.chunk);
        if (!chunk) return true;
        const bool all_overlap = std::ranges::all_of(found->second, [&](const Stretch& stretch) {
            const ByteSpan bytes{stretch.byte_begin + chunk->place.bytes.begin,
                                 stretch.byte_begin + chunk->place.bytes.end};
            return bytes.overlaps(filter_.exclude_bytes);
        });
        if (!all_overlap) return false;
    }
    return !held_elsewhere(facts.segment);
}

bool ChunkDocuments::held_elsewhere(uint64_t segment) {
    const auto known = elsewhere_.find(segment);
    if (known != elsewhere_.end()) return known->second;
    Query query(
        connection_,
        "SELECT DISTINCT p.document_id FROM places p JOIN documents d ON d.id = p.document_id "
        "WHERE p.segment_id = ? AND d.pending = 0");
    query.bind(static_cast<int64_t>(segment));
    bool elsewhere = false;
    while (!elsewhere && query.step()) elsewhere = !excluded_documents_.contains(query.count(0));
    return elsewhere_[segment] = elsewhere;
}

uint64_t ChunkDocuments::document_of(const RowFacts& facts) {
    const auto known = documents_.find(facts.segment);
    if (known != documents_.end()) return known->second;
    Query query(
        connection_,
        "SELECT min(p.document_id) FROM places p JOIN documents d ON d.id = p.document_id WHERE "
        "p.segment_id = ? AND d.pending = 0");
    query.bind(static_cast<int64_t>(facts.segment));
    return documents_[facts.segment] = query.step() ? query.count(0) : 0;
}

}  // namespace rpt::storage
