// The memory on disk: one directory, one SQLite database as the truth, a vector index as a cache.
// Knows bytes, keys (float vectors) and states (float matrices); knows no model.
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
#include "storage/state_codec.h"

namespace rpt::storage {

enum class Durability { kNormal, kFlush, kNone };

// What the model that writes a store fixes for good.
struct ModelBinding {
    Digest fingerprint{};
    uint32_t dim = 0;           // of a token's states
    uint32_t chunk_tokens = 0;  // m
    // Tokens before a segment that its encoder may see, counted with the begin-of-text token. 0
    // when opening: whatever the store has.
    uint32_t context_tokens = 0;
    uint32_t key_dim = 0;  // of keys; 0: `dim`

    uint32_t key_width() const { return key_dim > 0 ? key_dim : dim; }
};

struct StoreOptions {
    bool create = false;
    bool exclusive = false;  // with create: the store must not exist yet
    bool read_only = false;
    Durability durability = Durability::kFlush;
    std::optional<ModelBinding> model;  // required to create; absent: administration only
    Packing packing;                    // of what is written; all that is there can be read
    uint64_t cache_bytes = 0;           // decoded states kept in memory; 0: 64 MiB
    uint32_t flat_limit =
        0;  // chunks of a space searched by exact scan; above: HNSW. 0: the library's choice
};

// What is retrieved as a whole.
struct ChunkRecord {
    ByteSpan bytes;            // of its segment's text
    bool provisional = false;  // unfinished, at the end of an open segment
    std::vector<int32_t> tokens;
    std::vector<float> key;     // [dim]; kept as fp16
    std::vector<float> states;  // [tokens, dim]; kept encoded, dropped first under a budget
};

// A stretch of a document between two content-defined borders, with the chunks that were made of it
// and of nothing but it and its left context. Documents of one space share equal segments.
struct SegmentRecord {
    // Digest of all that the chunks depend on: equal identities, equal chunks. Zeros: the segment
    // is open, belongs to one document and may be replaced by a longer one.
    Digest identity{};
    std::string text;
    std::vector<ChunkRecord> chunks;
    // The space holds this identity already (Space::has_segment()): text and chunks are not given.
    bool known = false;
};

struct SegmentInfo {
    uint64_t id = 0;
    Digest identity{};  // zeros: open
    ByteSpan bytes;     // of the document
    uint64_t chunks = 0;
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
    bool text_discarded = false;
    Digest content_hash{};  // SHA-256 of the text, once finished
};

struct DocumentSpec {
    std::string key, uri, meta_json;
    int64_t timestamp_ms = 0;
    bool replace = false;
    bool discard_text = false;
};

// One change of a document, whole or not at all: its segments [first, first + n_old) give way to
// `segments`.
struct Edit {
    uint64_t first = 0, n_old = 0;
    std::vector<SegmentRecord> segments;
    bool finish = false;    // ends the document; a replacement becomes visible
    Digest content_hash{};  // of the whole text, with `finish`
};

struct SearchFilter {
    std::string exclude_key;  // this document is skipped ...
    ByteSpan exclude_bytes;   // ... or, if not empty, only chunks that overlap this part of it
    uint32_t max_per_document = 0;
    std::optional<float> min_score;
    bool exact = false;
    // Numbers of the query count by their rarity in each space (base/rarity.h): for models whose
    // keys count features.
    bool weigh_by_rarity = false;
};

struct Hit {
    uint64_t chunk_id = 0;  // unique in the store, never reused
    float score = 0;        // <query, key> / sqrt(key_width()), exact from the fp16 key
};

// Where a hit stands, for people.
struct HitInfo {
    uint64_t chunk_id = 0, document_id = 0, revision = 0, ordinal = 0;
    ByteSpan bytes, next_bytes;  // the chunk and its successor (empty if there is none)
    std::string owner, collection, key, uri;
    int64_t timestamp_ms = 0;
};

// States of a hit and of its successor, decoded. Shared with the store's cache. Null where there is
// no such chunk, or where `*_dropped` names the segment whose states a budget took from the disk.
struct HitStates {
    std::shared_ptr<const std::vector<float>> chunk;      // [tokens, dim]
    std::shared_ptr<const std::vector<float>> successor;  // likewise
    uint64_t successor_id = 0;                            // chunk, or 0
    uint64_t chunk_dropped = 0, successor_dropped = 0;    // number of a segment, or 0
};

// What the states of a segment are made from again.
struct SegmentTokens {
    std::vector<int32_t> context;  // the last tokens before it, at most as many as were asked for
    std::vector<int32_t> tokens;
    std::vector<uint64_t> chunks;  // numbers of its chunks, in order
};

struct StoreStats {
    uint32_t format_version = 0;
    uint64_t spaces = 0, documents = 0;
    uint64_t chunks = 0, tokens = 0;                    // kept: what documents share counts once
    uint64_t document_chunks = 0, document_tokens = 0;  // of all documents
    uint64_t text_bytes = 0;                            // of all documents' original text
    uint64_t text_bytes_disk = 0;                       // compressed, shared text once
    uint64_t state_bytes_raw = 0;                       // fp32
    uint64_t state_bytes_disk = 0;                      // encoded
    uint64_t key_bytes = 0, index_bytes = 0, meta_bytes = 0, disk_bytes = 0, reclaimable_bytes = 0;
    uint64_t cache_bytes = 0, cache_hits = 0, cache_misses = 0;
    uint64_t generation = 0, index_generation = 0;
    uint64_t budget = 0;  // 0: none
    Digest model_fingerprint{};
};

// How much a check looks at: the catalogue and its sums; besides, every checksum and every record.
enum class CheckLevel { kQuick, kFull };

struct Finding {
    enum class Severity { kNote = 1, kDamage = 2 } severity = Severity::kDamage;
    std::string text;  // one line: what, where, and what to do
};
using FindingSink = std::function<void(const Finding&)>;

class Space;

// A writer of one document. One thread at a time. Destroying it unfinished keeps what was committed
// (a replacement: nothing changes).
class DocumentWriter {
  public:
    virtual ~DocumentWriter() = default;
    // One transaction: durable as the store's durability says, then visible to searches (a
    // replacement: not before finish). Returns the place in edit.segments of a known segment that
    // the space has lost meanwhile, which must be given in full: then, as after a failure, nothing
    // has changed. A finished document that is changed is unfinished until the next finish.
    virtual std::optional<size_t> commit(const Edit& edit, const CallControl& control = {}) = 0;
    // Bytes that one commit may bring without breaking a budget; an edit is cut at segments.
    virtual uint64_t commit_bytes() const = 0;
    virtual DocumentInfo info() const = 0;
    // Of what is committed, in order.
    virtual std::vector<SegmentInfo> segments() const = 0;
    virtual std::string read_text(ByteSpan bytes) const = 0;
    virtual std::vector<int32_t> read_tokens(uint64_t segment_id) const = 0;
};

// (owner, collection) of one store, held as a handle: there is no other way to its chunks. Shared
// by threads. Keeps its store alive.
class Space {
  public:
    virtual ~Space() = default;
    virtual const std::string& owner() const = 0;
    virtual const std::string& collection() const = 0;
    // kExists if the key is there and `replace` is not set; kBusy if it is being written.
    virtual std::unique_ptr<DocumentWriter> begin_document(const DocumentSpec& spec) = 0;
    // Goes on with a document that is there, finished or not. kNotFound, kBusy.
    virtual std::unique_ptr<DocumentWriter> resume_document(std::string_view key) = 0;
    virtual bool has_segment(const Digest& identity) = 0;
    virtual std::optional<DocumentInfo> find_document(std::string_view key) = 0;
    virtual void delete_document(std::string_view key) = 0;  // kNotFound
    // In byte order of keys, after `after_key`; from a snapshot; `visit` returning false ends it.
    virtual void list_documents(std::string_view after_key,
                                const std::function<bool(const DocumentInfo&)>& visit) = 0;
    virtual std::vector<SegmentInfo> list_segments(std::string_view key) = 0;  // kNotFound
    // Original bytes from `offset`, at most `size`; short only at the end. kUnsupported if the text
    // was discarded.
    virtual std::string read_text(std::string_view key, uint64_t offset, size_t size) = 0;
    // The record of one chunk as stored, bytes counted in the document, states decoded (empty if
    // they were dropped).
    virtual std::optional<ChunkRecord> read_chunk(std::string_view key, uint64_t ordinal) = 0;
    // Bytes on disk that the space may take; 0: no limit. kNoSpace if keys and texts alone are
    // more.
    virtual void set_budget(uint64_t bytes) = 0;
};

// Shared by threads. One process writes (lock file), many read.
class Store : public std::enable_shared_from_this<Store> {
  public:
    // kNotFound, kExists, kBusy (names the process that holds the lock), kModelMismatch (names both
    // fingerprints), kVersion, kCorrupt, kIo, kReadOnly, kNoSpace, kArgument.
    static std::shared_ptr<Store> open(const std::string& path, const StoreOptions& options);
    // Brings a store of an older format to this one, in place, whole or not at all. False if there
    // was nothing to do. kBusy if it is open anywhere, kVersion if it is newer, kNoSpace, kCorrupt.
    static bool upgrade(const std::string& path, const CallControl& control = {});
    // Deletes a closed store after checking that it is one; never unknown files. kBusy if open
    // anywhere.
    static void destroy(const std::string& path);
    virtual ~Store() = default;

    virtual const std::string& path() const = 0;
    virtual const ModelBinding& model() const = 0;
    virtual bool read_only() const = 0;
    // Names are 1 to 255 bytes of UTF-8 without control characters. kNotFound unless `create`.
    virtual std::shared_ptr<Space> open_space(std::string_view owner, std::string_view collection,
                                              bool create) = 0;
    virtual void drop_space(std::string_view owner, std::string_view collection,
                            const CallControl& control = {}) = 0;
    virtual void list_spaces(const std::function<bool(const std::string& owner,
                                                      const std::string& collection)>& visit) = 0;

    // Best k chunks of the union of `spaces` (1 to 64, all of this store) by score, ties to the
    // lower chunk id. Provisional and whole chunks alike. A snapshot; takes no lock that a writer
    // holds while it works.
    virtual std::vector<Hit> search(std::span<const std::shared_ptr<Space>> spaces,
                                    std::span<const float> query, size_t k,
                                    const SearchFilter& filter,
                                    const CallControl& control = {}) = 0;
    // Facts and states of hits; a hit that was deleted meanwhile gives nullopt / null states.
    virtual std::optional<HitInfo> describe(uint64_t chunk_id) = 0;
    virtual std::vector<HitStates> load_states(std::span<const Hit> hits) = 0;
    // Of a segment whose states were dropped; nullopt if it was deleted meanwhile.
    virtual std::optional<SegmentTokens> read_segment_tokens(uint64_t segment_id,
                                                             size_t context_tokens) = 0;
    // Its chunks as stored, bytes counted in the segment; empty if it is not there.
    virtual std::vector<ChunkRecord> read_segment(uint64_t segment_id) = 0;
    // States made again, by chunk of the segment: kept in memory, and on disk if this process
    // writes and the writer is not at work. Returns them as they would have come from the disk.
    virtual std::vector<std::shared_ptr<const std::vector<float>>> restore_states(
        uint64_t segment_id, const std::vector<std::vector<float>>& states) = 0;
    virtual std::string read_hit_text(uint64_t chunk_id, bool successor) = 0;

    // Bytes on disk that the whole store may take, of all that its folder holds; 0: no limit.
    // States go first, those unused for longest before others. kNoSpace if the rest is more.
    virtual void set_budget(uint64_t bytes) = 0;
    // Erases what nobody holds any more and gives its pages back to the file system, step by step;
    // then no file of the store has a byte of what was deleted. Others read and write meanwhile. A
    // cancelled call has done a part. kBusy if readers keep the log.
    virtual void compact(const CallControl& control = {}) = 0;
    // A store in the folder `target`, which must hold none, as this one is at this moment. kExists.
    virtual void backup(const std::string& target, const CallControl& control = {}) = 0;
    // Tells what is wrong; throws only what keeps it from looking. From one moment's state.
    virtual void check(CheckLevel level, const FindingSink& found,
                       const CallControl& control = {}) = 0;
    virtual void sync() = 0;
    virtual StoreStats stats() = 0;
    virtual void rebuild_index(const CallControl& control = {}) = 0;
    // Throws the first failure of syncing and closing; called by the destructor without throwing
    // otherwise.
    virtual void close() = 0;
};

}  // namespace rpt::storage
