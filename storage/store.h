// The memory on disk. One interface for every database below it (storage/backend.h); today that is
// SQLite in a directory, with a vector index as a cache beside it.
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
#include "storage/codec/state_codec.h"
#include "storage/pointer_keys.h"
#include "storage/records.h"
#include "storage/space.h"

namespace rpt::storage {

enum class Durability { kNormal, kFlush, kNone };

struct StoreOptions {
    bool create = false;
    bool exclusive = false;  // with create: the store must not exist yet
    bool read_only = false;
    Durability durability = Durability::kFlush;
    std::optional<ModelBinding> model;  // required to create; absent: administration only
    Packing packing;                    // of what is written; all that is there can be read
    uint64_t cache_bytes = 0;           // pointer keys and decoded states kept in memory; 0: 64 MiB
    uint32_t flat_limit =
        0;  // chunks of a space searched by exact scan; above: HNSW. 0: the library's choice
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
    uint64_t key_bytes = 0, pointer_bytes = 0, index_bytes = 0, meta_bytes = 0, disk_bytes = 0,
             reclaimable_bytes = 0;
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
    // Best k chunks of the union of `spaces` by their text, ties to the lower chunk id; at equal
    // text the same hits in the same order, however it was written. Chunks whose text was discarded
    // are not found and not counted. Words are read from the texts at the first search and kept in
    // memory, up to a quarter of StoreOptions::cache_bytes for all spaces but the last one. `text`
    // is UTF-8.
    virtual std::vector<Hit> search_words(std::span<const std::shared_ptr<Space>> spaces,
                                          std::string_view text, WordLeg leg, size_t k,
                                          const SearchFilter& filter,
                                          const CallControl& control = {}) = 0;
    // The pointer keys of the space, up to its last commit: only what changed since the last call
    // is read. They are kept in memory, up to three quarters of StoreOptions::cache_bytes for all
    // spaces; a space that is larger is kept while a caller holds it. kNotFound if the space was
    // dropped, kCancelled.
    virtual std::shared_ptr<const PointerSnapshot> pointers(const std::shared_ptr<Space>& space,
                                                            const CallControl& control = {}) = 0;
    // Visible chunks of the space that the documents of the filter leave out, ascending: those that
    // a search with it would not find. Looks at every chunk unless the filter lets all through.
    virtual std::vector<uint64_t> hidden_chunks(const std::shared_ptr<Space>& space,
                                                const SearchFilter& filter,
                                                const CallControl& control = {}) = 0;
    // Facts and states of hits; a hit that was deleted meanwhile gives nullopt / null states. A
    // chunk that several documents share is told of the first one that passes the filter, of the
    // first one if none does.
    virtual std::optional<HitInfo> describe(uint64_t chunk_id, const SearchFilter& filter = {}) = 0;
    // Without `successors` those are not looked for.
    virtual std::vector<HitStates> load_states(std::span<const Hit> hits,
                                               bool successors = true) = 0;
    // Of a segment whose states were dropped; nullopt if it was deleted meanwhile.
    virtual std::optional<SegmentTokens> read_segment_tokens(uint64_t segment_id,
                                                             size_t context_tokens) = 0;
    // Its chunks as stored, bytes counted in the segment; empty if it is not there.
    virtual std::vector<ChunkRecord> read_segment(uint64_t segment_id) = 0;
    // States made again, by chunk of the segment: kept in memory, and on disk if this process
    // writes, the writer is not at work and the disk takes them. Returns them as they would have
    // come from the disk.
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
