#include "storage/sqlite/chunk_documents.h"

#include <algorithm>

#include "storage/document_filter.h"
#include "storage/sqlite/chunk_table.h"
#include "storage/sqlite/document_places.h"

namespace rpt::storage {

ChunkDocuments::ChunkDocuments(Connection& connection, const SearchFilter& filter,
                               const std::set<uint64_t>& spaces)
    : connection_(connection), filter_(filter) {
    if (filter.exclude_key.empty()) return;
    for (const uint64_t space : spaces) {
        auto document = find_document_row(connection, space, filter.exclude_key, false);
        if (!document || !passes_document(filter, document->info.key, document->info.timestamp_ms))
            continue;
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

const std::vector<uint64_t>& ChunkDocuments::holders_of(uint64_t segment) {
    const auto [known, is_new] = holders_.try_emplace(segment);
    if (!is_new) return known->second;
    Query query(
        connection_,
        "SELECT d.id, d.key, d.timestamp_ms FROM documents d WHERE d.pending = 0 AND d.id IN "
        "(SELECT document_id FROM places WHERE segment_id = ?) ORDER BY d.id");
    query.bind(static_cast<int64_t>(segment));
    while (query.step())
        if (passes_document(filter_, query.blob(1), query.number(2)))
            known->second.push_back(query.count(0));
    return known->second;
}

bool ChunkDocuments::excludes_some() const {
    return !excluded_documents_.empty() || limits_documents(filter_);
}

bool ChunkDocuments::is_excluded(const RowFacts& facts) {
    if (!excludes_some()) return false;
    const std::vector<uint64_t>& holders = holders_of(facts.segment);
    if (std::ranges::any_of(holders,
                            [&](uint64_t holder) { return !excluded_documents_.contains(holder); }))
        return false;
    if (holders.empty() || filter_.exclude_bytes.empty()) return true;
    const auto chunk = read_chunk_row(connection_, facts.chunk);
    if (!chunk) return true;
    return std::ranges::all_of(begins_of(facts.segment), [&](uint64_t begin) {
        const ByteSpan bytes{begin + chunk->place.bytes.begin, begin + chunk->place.bytes.end};
        return bytes.overlaps(filter_.exclude_bytes);
    });
}

uint64_t ChunkDocuments::document_of(const RowFacts& facts) {
    const std::vector<uint64_t>& holders = holders_of(facts.segment);
    return holders.empty() ? 0 : holders.front();
}

}  // namespace rpt::storage
