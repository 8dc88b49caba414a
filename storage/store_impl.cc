#include "storage/store_impl.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "storage/name_rules.h"
#include "storage/schema.h"
#include "storage/snapshot_search.h"
#include "storage/space_impl.h"
#include "storage/text_pages.h"

namespace rpt::storage {
namespace {

constexpr uint32_t kFlatLimit = 20000;  // chunks; below, the exact scan is as fast as the graph
constexpr uint64_t kStateCacheBytes = 64 * 1024 * 1024;
constexpr size_t kMaxSpaces = 64;
constexpr float kMaxQuery = 1e25f;  // keeps every sum of a search finite

StoreOptions with_defaults(StoreOptions options) {
    if (options.flat_limit == 0) options.flat_limit = kFlatLimit;
    if (options.cache_bytes == 0) options.cache_bytes = kStateCacheBytes;
    if (options.compression_level < 0 || options.compression_level > 19)
        throw Error(Status::kArgument, "rpt",
                    "compression level " + std::to_string(options.compression_level) +
                        " is not between 0 and 19");
    if (options.read_only && options.create)
        throw Error(Status::kArgument, "rpt",
                    "a store cannot be created read-only; leave one of the options");
    if (options.exclusive && !options.create)
        throw Error(Status::kArgument, "rpt", "exclusive has a meaning with create only");
    if (options.model && (options.model->dim == 0 || options.model->dim > 65536 ||
                          options.model->chunk_tokens == 0 || options.model->chunk_tokens > 65536))
        throw Error(Status::kArgument, "rpt",
                    "the model's dimension or chunk length is not between 1 and 65536");
    return options;
}

std::string name_of(std::string_view owner, std::string_view collection) {
    return "space \"" + std::string(owner) + "\" / \"" + std::string(collection) + "\"";
}

}  // namespace

std::shared_ptr<Store> Store::open(const std::string& path, const StoreOptions& options) {
    return std::make_shared<StoreImpl>(StoreDirectory(path), options);
}

StoreImpl::StoreImpl(StoreDirectory directory, const StoreOptions& options)
    : directory_(std::move(directory)),
      options_(with_defaults(options)),
      readers_(directory_.database(), directory_.path()),
      states_(options_.cache_bytes),
      builder_([this](SpaceIndex& index) {
          if (!options_.read_only)
              index_generation_ = std::max(index_generation_.load(), index.save_cache());
      }) {
    if (options_.read_only) {
        open_for_reading();
    } else {
        open_for_writing();
    }
}

StoreImpl::~StoreImpl() {
    try {
        close();
    } catch (...) {  // the caller who wants to know calls close()
    }
}

std::shared_ptr<SpaceIndex> StoreImpl::index_of(uint64_t space) {
    const std::lock_guard guard(indexes_mutex_);
    std::shared_ptr<SpaceIndex>& index = indexes_[space];
    if (!index)
        index = std::make_shared<SpaceIndex>(space, model_.dim, options_.flat_limit,
                                             directory_.index_file(space));
    return index;
}

void StoreImpl::require_writable() const {
    if (closed_)
        throw Error(Status::kState, "rpt", "store \"" + path() + "\" is closed; open it again");
    if (options_.read_only)
        throw Error(Status::kReadOnly, "rpt",
                    "store \"" + path() + "\" was opened read-only; open it for writing");
}

void StoreImpl::write(const std::function<void(Connection&)>& work) {
    require_writable();
    const std::lock_guard guard(writer_mutex_);
    if (!writer_)
        throw Error(Status::kState, "rpt", "store \"" + path() + "\" is closed; open it again");
    Transaction transaction(*writer_, Transaction::Kind::kWrite);
    work(*writer_);
    transaction.commit();
}

void StoreImpl::publish(const IndexChange& change) noexcept {
    try {
        states_.erase(change.removed);
        const auto index = index_of(change.now.id);
        index->apply(change);
        builder_.request(index);
    } catch (
        ...) {  // no memory: the commit stands, and the next search sees that its index is behind
    }
}

bool StoreImpl::claim_key(uint64_t space, const std::string& key) {
    const std::lock_guard guard(claims_mutex_);
    return claims_.emplace(space, key).second;
}

void StoreImpl::release_key(uint64_t space, const std::string& key) noexcept {
    try {
        const std::lock_guard guard(claims_mutex_);
        for (auto at = claims_.begin(); at != claims_.end(); ++at) {
            if (at->first != space || at->second != key) continue;
            claims_.erase(at);
            return;
        }
    } catch (...) {  // a mutex that fails: the key stays claimed until the store is closed
    }
}

std::shared_ptr<Space> StoreImpl::open_space(std::string_view owner, std::string_view collection,
                                             bool create) {
    check_name(owner, "owner", kMaxSpaceNameBytes);
    check_name(collection, "collection", kMaxSpaceNameBytes);
    std::optional<SpaceRow> row;
    {
        ConnectionPool::Lease lease(readers_);
        row = find_space(*lease, owner, collection);
    }
    if (!row && create) {
        write([&](Connection& connection) {
            row = find_space(connection, owner, collection);
            if (!row) row = insert_space(connection, owner, collection);
        });
    }
    if (!row)
        throw Error(Status::kNotFound, "rpt",
                    name_of(owner, collection) + " is not in store \"" + path() +
                        "\"; create it or list the spaces");
    return std::make_shared<SpaceImpl>(std::static_pointer_cast<StoreImpl>(shared_from_this()),
                                       std::move(*row));
}

void StoreImpl::drop_space(std::string_view owner, std::string_view collection,
                           const CallControl& control) {
    check_name(owner, "owner", kMaxSpaceNameBytes);
    check_name(collection, "collection", kMaxSpaceNameBytes);
    uint64_t space = 0;
    write([&](Connection& connection) {
        const auto row = find_space(connection, owner, collection);
        if (!row)
            throw Error(Status::kNotFound, "rpt",
                        name_of(owner, collection) + " is not in store \"" + path() + "\"");
        space = row->id;
        std::vector<uint64_t> documents;
        {
            Query query(connection, "SELECT id FROM documents WHERE space_id = ?");
            query.bind(static_cast<int64_t>(space));
            while (query.step()) documents.push_back(query.count(0));
        }
        for (size_t i = 0; i < documents.size(); ++i) {
            control.report(i, documents.size());
            DocumentRow document;
            document.space = space;
            document.info.id = documents[i];
            erase_document(connection, document);
        }
        Query(connection, "DELETE FROM spaces WHERE id = ?")
            .bind(static_cast<int64_t>(space))
            .run();
        Query(connection, "UPDATE store SET generation = generation + 1").run();
        index_of(space)->remove_cache_file();
    });
    states_.clear();
    const std::lock_guard guard(indexes_mutex_);
    indexes_.erase(space);
}

void StoreImpl::list_spaces(
    const std::function<bool(const std::string&, const std::string&)>& visit) {
    ConnectionPool::Lease lease(readers_);
    list_space_rows(*lease, [&](const SpaceRow& row) { return visit(row.owner, row.collection); });
}

std::vector<Hit> StoreImpl::search(std::span<const std::shared_ptr<Space>> spaces,
                                   std::span<const float> query, size_t k,
                                   const SearchFilter& filter, const CallControl& control) {
    control.check();
    if (spaces.empty() || spaces.size() > kMaxSpaces)
        throw Error(Status::kArgument, "rpt",
                    "a search takes 1 to 64 spaces, not " + std::to_string(spaces.size()));
    if (query.size() != model_.dim)
        throw Error(Status::kArgument, "rpt",
                    "the query has " + std::to_string(query.size()) + " values, keys have " +
                        std::to_string(model_.dim));
    if (!std::ranges::all_of(query, [](float v) { return std::abs(v) <= kMaxQuery; }))
        throw Error(Status::kArgument, "rpt",
                    "the query holds a value that is not finite or too large");
    std::vector<std::shared_ptr<const Snapshot>> snapshots;
    {
        // One read transaction over all: the union is of one moment.
        ConnectionPool::Lease lease(readers_);
        std::set<uint64_t> seen;
        for (const std::shared_ptr<Space>& handle : spaces) {
            const auto* space = dynamic_cast<const SpaceImpl*>(handle.get());
            if (space == nullptr || &space->store() != this)
                throw Error(Status::kArgument, "rpt",
                            "a space of another store was given to a search");
            if (!seen.insert(space->id()).second) continue;
            const SpaceRow row = space->require_row(*lease);
            const auto index = index_of(row.id);
            snapshots.push_back(index->at(*lease, row));
            builder_.request(index);
        }
    }
    return search_snapshots(snapshots, query, k, filter, control);
}

std::optional<HitInfo> StoreImpl::describe(uint64_t chunk_id) {
    ConnectionPool::Lease lease(readers_);
    const auto chunk = read_chunk_row(*lease, chunk_id);
    if (!chunk) return std::nullopt;
    const auto document = read_document_row(*lease, chunk->place.document);
    if (!document || document->pending) return std::nullopt;
    const auto space = read_space(*lease, chunk->place.space);
    if (!space) return std::nullopt;
    HitInfo info;
    info.chunk_id = chunk_id;
    info.document_id = document->info.id;
    info.revision = document->info.revision;
    info.ordinal = chunk->place.ordinal;
    info.bytes = chunk->place.bytes;
    const auto next =
        find_chunk(*lease, chunk->place.space, chunk->place.document, chunk->place.ordinal + 1);
    if (next) info.next_bytes = next->place.bytes;
    info.owner = space->owner;
    info.collection = space->collection;
    info.key = document->info.key;
    info.uri = document->info.uri;
    info.timestamp_ms = document->info.timestamp_ms;
    return info;
}

StateCache::States StoreImpl::states_of(Connection& connection, const ChunkRow& chunk) {
    if (auto states = states_.find(chunk.id)) return states;
    auto states =
        std::make_shared<const std::vector<float>>(read_states(connection, chunk, model_.dim));
    states_.insert(chunk.id, states);
    return states;
}

std::vector<HitStates> StoreImpl::load_states(std::span<const Hit> hits) {
    std::vector<HitStates> all;
    ConnectionPool::Lease lease(readers_);
    for (const Hit& hit : hits) {
        HitStates& states = all.emplace_back();
        const auto chunk = read_chunk_row(*lease, hit.chunk_id);
        if (!chunk) continue;
        states.chunk = states_of(*lease, *chunk);
        const auto next =
            find_chunk(*lease, chunk->place.space, chunk->place.document, chunk->place.ordinal + 1);
        if (next) states.successor = states_of(*lease, *next);
    }
    return all;
}

std::string StoreImpl::read_hit_text(uint64_t chunk_id, bool successor) {
    ConnectionPool::Lease lease(readers_);
    auto chunk = read_chunk_row(*lease, chunk_id);
    if (chunk && successor)
        chunk =
            find_chunk(*lease, chunk->place.space, chunk->place.document, chunk->place.ordinal + 1);
    const auto document = chunk ? read_document_row(*lease, chunk->place.document) : std::nullopt;
    if (!document)
        throw Error(Status::kNotFound, "rpt",
                    "chunk " + std::to_string(chunk_id) + (successor ? " or its successor" : "") +
                        " is not in the store");
    return read_text_pages(*lease, *document, chunk->place.bytes.begin, chunk->place.bytes.size());
}

void StoreImpl::rebuild_index(const CallControl& control) {
    require_writable();
    std::vector<SpaceRow> rows;
    {
        ConnectionPool::Lease lease(readers_);
        list_space_rows(*lease, [&](const SpaceRow& row) {
            rows.push_back(row);
            return true;
        });
    }
    for (size_t i = 0; i < rows.size(); ++i) {
        control.report(i, rows.size());
        const auto index = index_of(rows[i].id);
        index->forget();
        index->remove_cache_file();
        {
            ConnectionPool::Lease lease(readers_);
            const auto row = read_space(*lease, rows[i].id);
            if (!row) continue;  // dropped meanwhile
            index->at(*lease, *row);
        }
        const std::atomic<bool> never{false};
        index->build(true, build_threads(), never);
        index_generation_ = std::max(index_generation_.load(), index->save_cache());
    }
}

}  // namespace rpt::storage
