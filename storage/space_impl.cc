#include "storage/space_impl.h"

#include "base/error.h"
#include "storage/document_writer.h"
#include "storage/name_rules.h"
#include "storage/text_pages.h"

namespace rpt::storage {
namespace {

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
        IndexChange change;
        store_->write([&](Connection& connection) {
            change.now = require_row(connection);
            change.old_generation = change.now.generation;
            const auto row = find_document_row(connection, row_.id, name, false);
            if (!row) fail_missing(name);
            remove_chunks(connection, *row, change);
            touch_space(connection, change.now);
            store_->index_of(row_.id)->remove_cache_file();
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

std::string SpaceImpl::read_text(std::string_view key, uint64_t offset, size_t size) {
    ConnectionPool::Lease lease(store_->readers());
    require_row(*lease);
    const auto row = find_document_row(*lease, row_.id, key, false);
    if (!row) fail_missing(key);
    return read_text_pages(*lease, *row, offset, size);
}

std::optional<ChunkRecord> SpaceImpl::read_chunk(std::string_view key, uint64_t ordinal) {
    ConnectionPool::Lease lease(store_->readers());
    require_row(*lease);
    const auto row = find_document_row(*lease, row_.id, key, false);
    if (!row) return std::nullopt;
    const auto chunk = find_chunk(*lease, row_.id, row->info.id, ordinal);
    if (!chunk) return std::nullopt;
    return read_chunk_record(*lease, *chunk, store_->model().dim);
}

}  // namespace rpt::storage
