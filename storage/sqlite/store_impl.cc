#include "storage/sqlite/store_impl.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "storage/codec/state_codec.h"
#include "storage/index/snapshot_search.h"
#include "storage/name_rules.h"
#include "storage/sqlite/chunk_documents.h"
#include "storage/sqlite/document_places.h"
#include "storage/sqlite/document_text.h"
#include "storage/sqlite/document_writer.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/space_impl.h"
#include "storage/sqlite/space_keys.h"

namespace rpt::storage {
namespace {

constexpr uint32_t kFlatLimit = 20000;  // chunks; below, the exact scan is as fast as the graph
constexpr uint64_t kStateCacheBytes = 64 * 1024 * 1024;
constexpr float kMaxQuery = 1e25f;  // keeps every sum of a search finite

StoreOptions with_defaults(StoreOptions options) {
    if (options.flat_limit == 0) options.flat_limit = kFlatLimit;
    if (options.cache_bytes == 0) options.cache_bytes = kStateCacheBytes;
    if (options.packing.level < 0 || options.packing.level > 19)
        throw Error(Status::kArgument, "rpt",
                    "compression level " + std::to_string(options.packing.level) +
                        " is not between 0 and 19");
    if (options.read_only && options.create)
        throw Error(Status::kArgument, "rpt",
                    "a store cannot be created read-only; leave one of the options");
    if (options.exclusive && !options.create)
        throw Error(Status::kArgument, "rpt", "exclusive has a meaning with create only");
    if (options.model &&
        (options.model->dim == 0 || options.model->dim > 65536 || options.model->key_dim > 65536 ||
         options.model->pointer_dim > kMostPointerWidth || options.model->chunk_tokens == 0 ||
         options.model->chunk_tokens > 65536))
        throw Error(Status::kArgument, "rpt",
                    "the model's dimension or chunk length is not between 1 and 65536, or its "
                    "pointer keys have more than " +
                        std::to_string(kMostPointerWidth) + " numbers");
    return options;
}

// A space with all that it holds, in steps of documents' rows and segments.
void erase_space(Connection& connection, uint64_t space, const CallControl& control) {
    const auto id = static_cast<int64_t>(space);
    std::vector<uint64_t> segments;
    {
        // By indexes alone: other spaces' rows are not looked at.
        Query query(
            connection,
            "SELECT segment_id FROM places WHERE document_id IN (SELECT id FROM documents WHERE "
            "space_id = ?1) UNION SELECT id FROM segments WHERE standing < 2 AND space_id = ?1");
        query.bind(id);
        while (query.step()) segments.push_back(query.count(0));
    }
    for (const char* sql : {"DELETE FROM places WHERE document_id IN (SELECT id FROM documents "
                            "WHERE space_id = ?)",
                            "DELETE FROM place_sums WHERE document_id IN (SELECT id FROM "
                            "documents WHERE space_id = ?)"})
        Query(connection, sql).bind(id).run();
    Query(connection, "DELETE FROM documents WHERE space_id = ?").bind(id).run();
    for (size_t i = 0; i < segments.size(); ++i) {
        control.report(i, segments.size());
        for (const ChunkRow& chunk : list_chunks(connection, segments[i]))
            erase_chunk(connection, chunk.id);
        erase_segment_row(connection, segments[i]);
    }
    Query(connection, "DELETE FROM spaces WHERE id = ?").bind(id).run();
    Query(connection, "UPDATE store SET generation = generation + 1").run();
}

// `at`: where the chunk's segment occurs first, if that was looked up already.
std::optional<ChunkRow> successor_of(Connection& connection, const ChunkRow& chunk,
                                     std::optional<Occurrence> at = std::nullopt) {
    if (auto next = find_chunk(connection, chunk.place.segment, chunk.place.ordinal + 1))
        return next;
    if (!at) at = first_occurrence(connection, chunk.place.segment);
    if (!at) return std::nullopt;
    const auto next = DocumentPlaces(connection, at->document).next(at->at);
    return next ? find_chunk(connection, next->place.segment, 0) : std::nullopt;
}

std::string name_of(std::string_view owner, std::string_view collection) {
    return "space \"" + std::string(owner) + "\" / \"" + std::string(collection) + "\"";
}

}  // namespace

StoreImpl::StoreImpl(StoreDirectory directory, const StoreOptions& options)
    : directory_(std::move(directory)),
      options_(with_defaults(options)),
      readers_(directory_.database(), directory_.path()),
      states_(options_.cache_bytes),
      pointers_(options_.cache_bytes / 4 * 3),
      words_(options_.cache_bytes / 4),
      builder_([this](SpaceIndex& index) {
          if (!options_.read_only)
              index_generation_ =
                  std::max(index_generation_.load(), index.save_cache(budget_ != 0));
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
    const auto known = indexes_.find(space);
    if (known != indexes_.end()) return known->second;
    auto index = std::make_shared<SpaceIndex>(space, model_.key_width(), options_.flat_limit,
                                              directory_.index_file(space), directory_.file_mode());
    indexes_.emplace(space, index);
    return index;
}

std::shared_ptr<const Snapshot> StoreImpl::snapshot_at(Connection& connection,
                                                       const SpaceRow& row) {
    SpaceKeys keys(connection, row.id, model_.key_width());
    return index_of(row.id)->at(keys, row.mark());
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
    {
        Transaction transaction(*writer_, Transaction::Kind::kWrite);
        ++n_writes_;
        work(*writer_);
        transaction.commit();
    }
    keep_log_short(*writer_);
}

void StoreImpl::publish(const SpaceChange& change) noexcept {
    try {
        states_.erase(change.removed);
        pointers_.forget(change.now.id, change.removed);
        share_cache();
        const auto index = index_of(change.now.id);
        index->apply({change.old_generation, change.now.mark(), change.removed, change.added});
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
    // Under a budget the log has no room for all pages of a space. States are most of them and can
    // be made again, so that they may go ahead of the rest, in portions.
    for (bool more = budget_ != 0; more;) {
        control.check();
        write([&](Connection& connection) {
            auto row = find_space(connection, owner, collection);
            more = row && free_some(connection, *row, false, commit_bytes());
            if (more) touch_space(connection, *row);
        });
    }
    uint64_t space = 0;
    write([&](Connection& connection) {
        const auto row = find_space(connection, owner, collection);
        if (!row)
            throw Error(Status::kNotFound, "rpt",
                        name_of(owner, collection) + " is not in store \"" + path() + "\"");
        space = row->id;
        erase_space(connection, space, control);
        index_of(space)->remove_cache_file();
    });
    states_.clear();
    pointers_.drop(space);
    words_.drop(space);
    share_cache();
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
    const std::vector<const SpaceImpl*> searched = searched_spaces(spaces);
    if (query.size() != model_.key_width())
        throw Error(Status::kArgument, "rpt",
                    "the query has " + std::to_string(query.size()) + " values, keys have " +
                        std::to_string(model_.key_width()));
    if (!std::ranges::all_of(query, [](float v) { return std::abs(v) <= kMaxQuery; }))
        throw Error(Status::kArgument, "rpt",
                    "the query holds a value that is not finite or too large");
    ConnectionPool::Lease lease(readers_);
    std::vector<std::shared_ptr<const Snapshot>> snapshots;
    std::set<uint64_t> seen;
    for (const SpaceImpl* space : searched) {
        seen.insert(space->id());
        const SpaceRow row = space->require_row(*lease);
        const auto index = index_of(row.id);
        snapshots.push_back(snapshot_at(*lease, row));
        builder_.request(index);
    }
    ChunkDocuments documents(*lease, filter, seen);
    return search_snapshots(snapshots, query, k, filter, documents, control);
}

std::optional<HitInfo> StoreImpl::describe(uint64_t chunk_id, const SearchFilter& filter) {
    ConnectionPool::Lease lease(readers_);
    const auto chunk = read_chunk_row(*lease, chunk_id);
    if (!chunk) return std::nullopt;
    const auto at = first_occurrence(*lease, chunk->place.segment, filter);
    const auto space = read_space(*lease, chunk->place.space);
    if (!at || !space) return std::nullopt;
    const DocumentInfo& document = at->document.info;
    const auto in_document = [](const ChunkRow& row, uint64_t segment_begin) {
        return ByteSpan{segment_begin + row.place.bytes.begin, segment_begin + row.place.bytes.end};
    };
    HitInfo info;
    info.chunk_id = chunk_id;
    info.document_id = document.id;
    info.revision = document.revision;
    info.ordinal = at->at.first_chunk + chunk->place.ordinal;
    info.bytes = in_document(*chunk, at->at.byte_begin);
    if (const auto next = successor_of(*lease, *chunk, at)) {
        // The first chunk of a segment follows another segment, be it the same one once more.
        const bool behind = next->place.ordinal == 0;
        info.next_bytes = in_document(*next, behind ? at->at.byte_end() : at->at.byte_begin);
    }
    info.owner = space->owner;
    info.collection = space->collection;
    info.key = document.key;
    info.uri = document.uri;
    info.timestamp_ms = document.timestamp_ms;
    return info;
}

StateCache::States StoreImpl::states_of(Connection& connection, const ChunkRow& chunk) {
    note_use(chunk.id);
    if (auto states = states_.find(chunk.id)) return states;
    auto values = read_states(connection, chunk, model_.dim);
    if (!values) return nullptr;
    auto states = std::make_shared<const std::vector<float>>(std::move(*values));
    states_.insert(chunk.id, states);
    return states;
}

std::vector<HitStates> StoreImpl::load_states(std::span<const Hit> hits, bool successors) {
    std::vector<HitStates> all;
    ConnectionPool::Lease lease(readers_);
    for (const Hit& hit : hits) {
        HitStates& states = all.emplace_back();
        const auto chunk = read_chunk_row(*lease, hit.chunk_id);
        if (!chunk) continue;
        states.chunk = states_of(*lease, *chunk);
        if (!states.chunk) states.chunk_dropped = chunk->place.segment;
        const auto next = successors ? successor_of(*lease, *chunk) : std::nullopt;
        if (!next) continue;
        states.successor_id = next->id;
        states.successor = states_of(*lease, *next);
        if (!states.successor) states.successor_dropped = next->place.segment;
    }
    return all;
}

std::optional<SegmentTokens> StoreImpl::read_segment_tokens(uint64_t segment_id,
                                                            size_t context_tokens) {
    ConnectionPool::Lease lease(readers_);
    const auto at = first_occurrence(*lease, segment_id);
    if (!at) return std::nullopt;
    SegmentTokens found;
    for (const ChunkRow& chunk : list_chunks(*lease, segment_id)) {
        found.chunks.push_back(chunk.id);
        const std::vector<int32_t> part = read_tokens(*lease, chunk);
        found.tokens.insert(found.tokens.end(), part.begin(), part.end());
    }
    DocumentPlaces places(*lease, at->document);
    for (auto place = places.previous(at->at); place && found.context.size() < context_tokens;
         place = places.previous(*place)) {
        const std::vector<int32_t> before =
            storage::read_segment_tokens(*lease, place->place.segment);
        found.context.insert(found.context.begin(), before.begin(), before.end());
    }
    if (found.context.size() > context_tokens)
        found.context.erase(found.context.begin(),
                            found.context.end() - static_cast<ptrdiff_t>(context_tokens));
    return found;
}

std::vector<ChunkRecord> StoreImpl::read_segment(uint64_t segment_id) {
    std::vector<ChunkRecord> records;
    ConnectionPool::Lease lease(readers_);
    for (const ChunkRow& chunk : list_chunks(*lease, segment_id))
        records.push_back(read_chunk_record(*lease, chunk, model_));
    return records;
}

std::vector<StateCache::States> StoreImpl::restore_states(
    uint64_t segment_id, const std::vector<std::vector<float>>& states) {
    std::vector<ChunkRow> chunks;
    {
        ConnectionPool::Lease lease(readers_);
        chunks = list_chunks(*lease, segment_id);
    }
    std::vector<StateCache::States> restored;
    if (chunks.size() != states.size()) return restored;  // changed meanwhile
    std::vector<std::string> bodies;
    for (size_t i = 0; i < chunks.size(); ++i) {
        if (states[i].size() != size_t(chunks[i].n_tokens) * model_.dim) return restored;
        bodies.push_back(
            encode_states(states[i], model_.dim, options_.packing.codec, options_.packing.level));
        restored.push_back(std::make_shared<const std::vector<float>>(
            decode_states(bodies[i], model_.dim, chunks[i].n_tokens)));
        states_.insert(chunks[i].id, restored[i]);
    }
    try {
        if (!options_.read_only && !closed_) write_restored(chunks, bodies);
    } catch (const std::exception&) {  // a disk that takes nothing: they are in memory, and whoever
                                       // wants them later makes them again
    }
    return restored;
}

// Only if nobody writes at the moment: a search does not wait.
void StoreImpl::write_restored(const std::vector<ChunkRow>& chunks,
                               const std::vector<std::string>& bodies) {
    const std::unique_lock guard(writer_mutex_, std::try_to_lock);
    if (!guard || !writer_ || chunks.empty()) return;
    SpaceChange change;
    {
        Transaction transaction(*writer_, Transaction::Kind::kWrite);
        ++n_writes_;
        auto space = read_space(*writer_, chunks[0].place.space);
        if (!space) return;
        change.now = std::move(*space);
        change.old_generation = change.now.generation;
        std::vector<PreparedSegment> wanted(1);
        for (const std::string& body : bodies) {
            wanted[0].chunks.emplace_back();
            wanted[0].chunks.back().states = body;
        }
        try {
            make_room(*writer_, change.now, wanted);
        } catch (const Error& error) {
            if (error.status() != Status::kNoSpace) throw;
            return;  // they stay in memory
        }
        for (size_t i = 0; i < chunks.size(); ++i) {
            const auto row = read_chunk_row(*writer_, chunks[i].id);
            if (!row || row->state_disk != 0 || wanted[0].chunks[i].states.empty()) continue;
            write_states(*writer_, row->id, bodies[i], change.now.generation + 1);
            change.now.state_disk += bodies[i].size();
        }
        touch_space(*writer_, change.now);
        transaction.commit();
    }
    publish(change);
    keep_log_short(*writer_);
}

std::string StoreImpl::read_hit_text(uint64_t chunk_id, bool successor) {
    ConnectionPool::Lease lease(readers_);
    auto chunk = read_chunk_row(*lease, chunk_id);
    if (chunk && successor) chunk = successor_of(*lease, *chunk);
    if (!chunk)
        throw Error(Status::kNotFound, "rpt",
                    "chunk " + std::to_string(chunk_id) + (successor ? " or its successor" : "") +
                        " is not in the store");
    const std::string text =
        read_segment_text(*lease, require_segment(*lease, chunk->place.segment));
    const ByteSpan bytes = chunk->place.bytes;
    if (bytes.begin > bytes.end || bytes.end > text.size())
        throw Error(Status::kCorrupt, "rpt",
                    "chunk " + std::to_string(chunk->id) + " lies outside its segment " +
                        std::to_string(chunk->place.segment) +
                        "; check the store, and restore a backup or read its documents again");
    return text.substr(bytes.begin, bytes.size());
}

void StoreImpl::erase_pending(const DocumentRow& document) {
    write([&](Connection& connection) {
        SpaceChange change;
        auto space = read_space(connection, document.space);
        if (!space) return;
        change.now = std::move(*space);
        SegmentEdit segments(connection, change, model_.key_width());
        remove_document(connection, document, segments);
        segments.settle();
        touch_space(connection, change.now);
    });
    while (purge_step(document.space)) {
    }
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
            snapshot_at(*lease, *row);
        }
        const std::atomic<bool> never{false};
        index->build(true, build_threads(), never);
        index_generation_ = std::max(index_generation_.load(), index->save_cache(budget_ != 0));
    }
}

}  // namespace rpt::storage
