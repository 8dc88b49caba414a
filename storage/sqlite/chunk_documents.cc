#include "storage/sqlite/chunk_documents.h"

#include <algorithm>

#include "storage/sqlite/chunk_table.h"
#include "storage/sqlite/document_places.h"

namespace rpt::storage {

ChunkDocuments::ChunkDocuments(Connection& connection, const SearchFilter& filter,
                               const std::set<uint64_t>& spaces)
    : connection_(connection), filter_(filter) {
    if (filter.exclude_key.empty()) return;
    for (const uint64_t space : spaces) {
        auto document = find_document_row(connection, space, filter.exclude_key, false);
        if (!document) continue;
        DocumentPlaces(connection, *document).at_byte(0);  // proves what its row says
        const uint64_t id = document->info.id;
        excluded_documents_.emplace(id, std::move(*document));
    }
}

const std::vector<uint64_t>& ChunkDocuments::begins_of(uint64_t segment) {
    const auto known = begins_.find(segment);
    if (known != begins_.end()) return known->second;
    std::vector<uint64_t>& begins = begins_[segment];
    for (const auto& [id, document] : excluded_documents_) {
        DocumentPlaces places(connection_, document);
        Query query(connection_,
                    "SELECT place FROM places WHERE segment_id = ? AND document_id = ?");
        query.bind(static_cast<int64_t>(segment)).bind(static_cast<int64_t>(id));
        while (query.step()) begins.push_back(places.require(query.count(0)).byte_begin);
    }
    return begins;
}

bool ChunkDocuments::is_excluded(const RowFacts& facts) {
    if (excluded_documents_.empty()) return false;
    const std::vector<uint64_t>& begins = begins_of(facts.segment);
    if (begins.empty()) return false;
    if (!filter_.exclude_bytes.empty()) {
        const auto chunk = read_chunk_row(connection_, facts.chunk);
        if (!chunk) return true;
        const bool all_overlap = std::ranges::all_of(begins, [&](uint64_t begin) {
            const ByteSpan bytes{begin + chunk->place.bytes.begin, begin + chunk->place.bytes.end};
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
