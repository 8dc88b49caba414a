#include "storage/sqlite/space_impl.h"

#include <algorithm>

#include "base/error.h"
#include "storage/name_rules.h"
#include "storage/sqlite/document_places.h"
#include "storage/sqlite/document_text.h"
#include "storage/sqlite/document_writer.h"
#include "storage/sqlite/segment_table.h"

namespace rpt::storage {
namespace {

constexpr size_t kPurgedByDelete = 16;  // segments; the rest goes with later commits or compaction

[[noreturn]] void fail_missing(std::string_view key) {
    throw Error(Status::kNotFound, "rpt",
                "document \"" + std::string(key) + "\" is not in this space");
}

}  // namespace

SpaceRow SpaceImpl::require_row(Connection& connection) const {
    auto row = read_space(connection, row_.id);
    if (!row)
        throw Error(Status::kNotFound, "rpt",
                    "space \"" + row_.owner + "\" / \"" + row_.collection +
                        "\" was dropped; open it again");
    return std::move(*row);
}

std::unique_ptr<DocumentWriter> SpaceImpl::begin_document(const DocumentSpec& spec) {
    check_name(spec.key, "document key", kMaxKeyBytes);
    check_text(spec.uri, "uri", kMaxUriBytes);
    check_text(spec.meta_json, "meta", kMaxMetaBytes);
    store_->require_writable();
    if (!store_->claim_key(row_.id, spec.key))
        throw Error(Status::kBusy, "rpt",
                    "document \"" + spec.key + "\" is being written; finish that writer first");
    try {
        std::optional<DocumentRow> old;
        {
            ConnectionPool::Lease lease(store_->readers());
            require_row(*lease);
            old = find_document_row(*lease, row_.id, spec.key, false);
        }
        if (old && !spec.replace)
            throw Error(Status::kExists, "rpt",
                        "document \"" + spec.key + "\" exists; replace it or choose another key");
        return std::make_unique<DocumentWriterImpl>(store_, row_.id, spec, old);
    } catch (...) {
        store_->release_key(row_.id, spec.key);
        throw;
    }
}

std::unique_ptr<DocumentWriter> SpaceImpl::resume_document(std::string_view key) {
    store_->require_writable();
    const std::string name(key);
    if (!store_->claim_key(row_.id, name))
        throw Error(Status::kBusy, "rpt",
                    "document \"" + name + "\" is being written; finish that writer first");
    try {
        ConnectionPool::Lease lease(store_->readers());
        require_row(*lease);
        auto row = find_document_row(*lease, row_.id, name, false);
        if (!row) fail_missing(name);
        std::vector<Place> places = list_places(*lease, row->info.id, row->places);
        return std::make_unique<DocumentWriterImpl>(store_, std::move(*row), std::move(places));
    } catch (...) {
        store_->release_key(row_.id, name);
        throw;
    }
}

bool SpaceImpl::has_segment(const Digest& identity) {
    ConnectionPool::Lease lease(store_->readers());
    return find_segment(*lease, row_.id, identity).has_value();
}

std::optional<DocumentInfo> SpaceImpl::find_document(std::string_view key) {
    ConnectionPool::Lease lease(store_->readers());
    require_row(*lease);
    const auto row = find_document_row(*lease, row_.id, key, false);
    return row ? std::optional(row->info) : std::nullopt;
}

void SpaceImpl::delete_document(std::string_view key) {
    store_->require_writable();
    const std::string name(key);
    if (!store_->claim_key(row_.id, name))
        throw Error(Status::kBusy, "rpt",
                    "document \"" + name + "\" is being written; finish that writer first");
    try {
        SpaceChange change;
        store_->write([&](Connection& connection) {
            change.now = require_row(connection);
            change.old_generation = change.now.generation;
            const auto row = find_document_row(connection, row_.id, name, false);
            if (!row) fail_missing(name);
            SegmentEdit segments(connection, change, store_->model().key_width());
            remove_document(connection, *row, segments);
            segments.settle();
            segments.purge(kPurgedByDelete, store_->commit_bytes());
            touch_space(connection, change.now);
        });
        store_->publish(change);
    } catch (...) {
        store_->release_key(row_.id, name);
        throw;
    }
    store_->release_key(row_.id, name);
}

void SpaceImpl::list_documents(std::string_view after_key,
                               const std::function<bool(const DocumentInfo&)>& visit) {
    ConnectionPool::Lease lease(store_->readers());
    require_row(*lease);
    list_document_rows(*lease, row_.id, after_key,
                       [&](const DocumentRow& row) { return visit(row.info); });
}

std::vector<SegmentInfo> SpaceImpl::list_segments(std::string_view key) {
    ConnectionPool::Lease lease(store_->readers());
    require_row(*lease);
    const auto row = find_document_row(*lease, row_.id, key, false);
    if (!row) fail_missing(key);
    return list_segment_infos(*lease, list_places(*lease, row->info.id, row->places));
}

std::optional<SegmentInfo> SpaceImpl::segment_at(std::string_view key, uint64_t number) {
    ConnectionPool::Lease lease(store_->readers());
    require_row(*lease);
    const auto row = find_document_row(*lease, row_.id, key, false);
    if (!row) fail_missing(key);
    const auto place = DocumentPlaces(*lease, *row).at_number(number);
    if (!place) return std::nullopt;
    SegmentInfo info = list_segment_infos(*lease, std::span(&place->place, 1)).front();
    info.bytes = {place->byte_begin, place->byte_end()};
    return info;
}

std::string SpaceImpl::read_text(std::string_view key, uint64_t offset, size_t size) {
    ConnectionPool::Lease lease(store_->readers());
    require_row(*lease);
    const auto row = find_document_row(*lease, row_.id, key, false);
    if (!row) fail_missing(key);
    DocumentPlaces places(*lease, *row);
    const uint64_t end = offset + std::min<uint64_t>(size, UINT64_MAX - offset);
    std::string text;
    for (auto place = size > 0 ? places.at_byte(offset) : std::nullopt; place;
         place = place->byte_end() < end ? places.next(*place) : std::nullopt)
        append_place_text(*lease, place->place.segment, place->byte_begin, key, {offset, end},
                          text);
    return text;
}

std::optional<ChunkRecord> SpaceImpl::read_chunk(std::string_view key, uint64_t ordinal) {
    ConnectionPool::Lease lease(store_->readers());
    require_row(*lease);
    const auto row = find_document_row(*lease, row_.id, key, false);
    if (!row) return std::nullopt;
    const auto place = DocumentPlaces(*lease, *row).at_chunk(ordinal);
    if (!place) return std::nullopt;
    const auto chunk = find_chunk(*lease, place->place.segment, ordinal - place->first_chunk);
    if (!chunk) return std::nullopt;
    ChunkRecord record = read_chunk_record(*lease, *chunk, store_->model());
    record.bytes = {place->byte_begin + record.bytes.begin, place->byte_begin + record.bytes.end};
    return record;
}

}  // namespace rpt::storage
