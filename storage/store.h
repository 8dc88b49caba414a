// The memory on disk: one directory, one SQLite database as the truth, a vector index as a cache. Knows bytes, keys
// (float vectors) and states (float matrices); knows no model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/sha256.h"
#include "base/span.h"

namespace rpt::storage {

enum class Durability { kNormal, kFlush, kNone };

// What the model that writes a store fixes for good.
struct ModelBinding {
    Digest fingerprint{};
    uint32_t dim = 0;           // of keys and of a token's states
    uint32_t chunk_tokens = 0;  // m
};

struct StoreOptions {
    bool create = false;
    bool exclusive = false;  // with create: the store must not exist yet
    bool read_only = false;
    Durability durability = Durability::kFlush;
    std::optional<ModelBinding> model;  // required to create; absent: administration only
    int compression_level = 0;          // zstd; 0: the library's choice
    uint64_t cache_bytes = 0;           // decoded states kept in memory; 0: 64 MiB
    uint32_t flat_limit = 0;            // chunks of a space searched by exact scan; above: HNSW. 0: the library's choice
};

struct ChunkRecord {
    uint64_t ordinal = 0;          // number in its document
    ByteSpan bytes;                // of the document
    bool provisional = false;      // an unfinished chunk that the next flush supersedes
    std::vector<int32_t> tokens;
    std::vector<float> key;        // [dim]; kept as fp16
    std::vector<float> states;     // [tokens, dim]; kept as int8 with a scale a token
};

struct DocumentInfo {
    uint64_t id = 0;
    uint64_t revision = 0;
    std::string key, uri, meta_json;
    int64_t timestamp_ms = 0;
    uint64_t bytes = 0;             // of text durable in the store
    uint64_t bytes_searchable = 0;  // covered by chunks
    uint64_t tokens = 0, chunks = 0;
    bool finished = false;
    Digest content_hash{};          // SHA-256 of the text, once finished
};

struct DocumentSpec {
    std::string key, uri, meta_json;
    int64_t timestamp_ms = 0;
    bool replace = false;
    bool discard_text = false;
};

// One flush: text that follows what was committed before, and chunks. Chunks with an ordinal that exists replace it
// (a provisional tail grows into a whole chunk).
struct Flush {
    std::string_view text;
    std::vector<ChunkRecord> chunks;
    uint64_t drop_from_ordinal = UINT64_MAX;  // provisional chunks from here on are superseded, even by nothing
    bool finish = false;                      // ends the document; a replacement becomes visible
};

struct SearchFilter {
    std::string exclude_key;      // this document is skipped ...
    ByteSpan exclude_bytes;       // ... or, if not empty, only chunks that overlap this part of it
    uint32_t max_per_document = 0;
    std::optional<float> min_score;
    bool exact = false;
};

struct Hit {
    uint64_t chunk_id = 0;        // unique in the store, never reused
    float score = 0;              // <query, key> / sqrt(dim), rescored exactly from the fp16 key
};

// Where a hit stands, for people.
struct HitInfo {
    uint64_t chunk_id = 0, document_id = 0, revision = 0, ordinal = 0;
    ByteSpan bytes, next_bytes;   // the chunk and its successor (empty if there is none)
    std::string owner, collection, key, uri;
    int64_t timestamp_ms = 0;
};

// States of a hit and of its successor, decoded. Shared with the store's cache.
struct HitStates {
    std::shared_ptr<const std::vector<float>> chunk;      // [tokens, dim]
    std::shared_ptr<const std::vector<float>> successor;  // null if there is none
};

struct StoreStats {
    uint32_t format_version = 0;
    uint64_t spaces = 0, documents = 0, chunks = 0, tokens = 0;
    uint64_t text_bytes = 0;         // of original text
    uint64_t text_bytes_disk = 0;    // compressed pages
    uint64_t state_bytes_raw = 0;    // fp32
    uint64_t state_bytes_disk = 0;   // encoded
    uint64_t key_bytes = 0, index_bytes = 0, meta_bytes = 0, disk_bytes = 0, reclaimable_bytes = 0;
    uint64_t cache_bytes = 0, cache_hits = 0, cache_misses = 0;
    uint64_t generation = 0, index_generation = 0;
    Digest model_fingerprint{};
};

class Space;

// A writer of one document. One thread at a time. Destroying it unfinished keeps what was committed (a replacement:
// nothing changes).
class DocumentWriter {
  public:
    virtual ~DocumentWriter() = default;
    // One transaction: durable as the store's durability says, then visible to searches (a replacement: not before
    // finish). A failure changes nothing and may be tried again.
    virtual void commit(const Flush& flush, const CallControl& control = {}) = 0;
    virtual DocumentInfo info() const = 0;
};

// (owner, collection) of one store, held as a handle: there is no other way to its chunks. Shared by threads. Keeps its
// store alive.
class Space {
  public:
    virtual ~Space() = default;
    virtual const std::string& owner() const = 0;
    virtual const std::string& collection() const = 0;
    // kExists if the key is there and `replace` is not set; kBusy if it is being written.
    virtual std::unique_ptr<DocumentWriter> begin_document(const DocumentSpec& spec) = 0;
    virtual std::optional<DocumentInfo> find_document(std::string_view key) = 0;
    virtual void delete_document(std::string_view key) = 0;  // kNotFound
    // In byte order of keys, after `after_key`; from a snapshot; `visit` returning false ends it.
    virtual void list_documents(std::string_view after_key, const std::function<bool(const DocumentInfo&)>& visit) = 0;
    // Original bytes from `offset`, at most `size`; short only at the end. kUnsupported if the text was discarded.
    virtual std::string read_text(std::string_view key, uint64_t offset, size_t size) = 0;
    // The whole record of one chunk, as stored (states decoded).
    virtual std::optional<ChunkRecord> read_chunk(std::string_view key, uint64_t ordinal) = 0;
};

// Shared by threads. One process writes (lock file), many read.
class Store : public std::enable_shared_from_this<Store> {
  public:
    // kNotFound, kExists, kBusy (names the process that holds the lock), kModelMismatch (names both fingerprints),
    // kVersion, kCorrupt, kIo, kReadOnly, kNoSpace, kArgument.
    static std::shared_ptr<Store> open(const std::string& path, const StoreOptions& options);
    // Deletes a closed store after checking that it is one; never unknown files. kBusy if open anywhere.
    static void destroy(const std::string& path);
    virtual ~Store() = default;

    virtual const std::string& path() const = 0;
    virtual const ModelBinding& model() const = 0;
    virtual bool read_only() const = 0;
    // Names are 1 to 255 bytes of UTF-8 without control characters. kNotFound unless `create`.
    virtual std::shared_ptr<Space> open_space(std::string_view owner, std::string_view collection, bool create) = 0;
    virtual void drop_space(std::string_view owner, std::string_view collection, const CallControl& control = {}) = 0;
    virtual void list_spaces(const std::function<bool(const std::string& owner, const std::string& collection)>& visit) = 0;

    // Best k chunks of the union of `spaces` (1 to 64, all of this store) by score, ties to the lower chunk id.
    // Provisional and whole chunks alike. A snapshot; takes no lock that a writer holds while it works.
    virtual std::vector<Hit> search(std::span<const std::shared_ptr<Space>> spaces, std::span<const float> query,
                                    size_t k, const SearchFilter& filter, const CallControl& control = {}) = 0;
    // Facts and states of hits; a hit that was deleted meanwhile gives nullopt / null states.
    virtual std::optional<HitInfo> describe(uint64_t chunk_id) = 0;
    virtual std::vector<HitStates> load_states(std::span<const Hit> hits) = 0;
    virtual std::string read_hit_text(uint64_t chunk_id, bool successor) = 0;

    virtual void sync() = 0;
    virtual StoreStats stats() = 0;
    virtual void rebuild_index(const CallControl& control = {}) = 0;
    // Throws the first failure of syncing and closing; called by the destructor without throwing otherwise.
    virtual void close() = 0;
};

}  // namespace rpt::storage
