// Figures of a store, from counters that every flush keeps.
#include "storage/codec/pointer_codec.h"
#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {

StoreStats StoreImpl::stats() {
    StoreStats stats;
    ConnectionPool::Lease lease(readers_);
    Connection& connection = *lease;
    stats.format_version = kFormatVersion;
    stats.model_fingerprint = model_.fingerprint;
    stats.generation =
        static_cast<uint64_t>(connection.read_number("SELECT generation FROM store"));
    stats.spaces = static_cast<uint64_t>(connection.read_number("SELECT count(*) FROM spaces"));
    {
        Query query(
            connection,
            "SELECT count(*), ifnull(sum(bytes), 0), ifnull(sum(chunks), 0), ifnull(sum(tokens), "
            "0) FROM documents WHERE pending = 0");
        query.step();
        stats.documents = query.count(0);
        stats.text_bytes = query.count(1);
        stats.document_chunks = query.count(2);
        stats.document_tokens = query.count(3);
    }
    {
        Query query(
            connection,
            "SELECT ifnull(sum(chunks), 0), ifnull(sum(tokens), 0), ifnull(sum(text_disk), 0), "
            "ifnull(sum(state_disk), 0) FROM spaces");
        query.step();
        stats.chunks = query.count(0);
        stats.tokens = query.count(1);
        stats.text_bytes_disk = query.count(2);
        stats.state_bytes_disk = query.count(3);
    }
    stats.budget = static_cast<uint64_t>(connection.read_number("SELECT budget FROM store"));
    stats.state_bytes_raw = stats.tokens * model_.dim * sizeof(float);
    stats.key_bytes = stats.chunks * model_.key_width() * 2;
    stats.pointer_bytes = pointer_bytes(stats.chunks, stats.tokens, model_.pointer_dim);
    const auto page = static_cast<uint64_t>(connection.read_number("PRAGMA page_size"));
    const uint64_t pages = static_cast<uint64_t>(connection.read_number("PRAGMA page_count"));
    stats.reclaimable_bytes =
        page * static_cast<uint64_t>(connection.read_number("PRAGMA freelist_count"));
    const uint64_t known = stats.text_bytes_disk + stats.state_bytes_disk + stats.key_bytes +
                           stats.pointer_bytes + stats.reclaimable_bytes;
    stats.meta_bytes = pages * page > known ? pages * page - known : 0;
    const StoreDirectory::DiskUse use = directory_.disk_use();
    stats.index_bytes = use.index;
    stats.disk_bytes = use.all;
    const StateCache::Figures cache = states_.figures();
    stats.cache_bytes = cache.bytes + pointers_.bytes() + words_.bytes();
    stats.cache_hits = cache.hits;
    stats.cache_misses = cache.misses;
    stats.index_generation = index_generation_;
    return stats;
}

}  // namespace rpt::storage
