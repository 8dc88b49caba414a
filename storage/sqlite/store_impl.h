// The store behind storage/store.h: what its spaces and writers share.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "storage/index/index_builder.h"
#include "storage/index/space_index.h"
#include "storage/sqlite/chunk_table.h"
#include "storage/sqlite/connection_pool.h"
#include "storage/sqlite/pointer_cache.h"
#include "storage/sqlite/segment_edit.h"
#include "storage/sqlite/store_directory.h"
#include "storage/sqlite/word_cache.h"
#include "storage/state_cache.h"
#include "storage/store.h"

namespace rpt::storage {

// Shared by threads. One writing connection under a mutex; reads take connections of their own and
// never wait for it.
class StoreImpl final : public Store {
  public:
    StoreImpl(StoreDirectory directory, const StoreOptions& options);
    ~StoreImpl() override;

    const std::string& path() const override { return directory_.path(); }
    const ModelBinding& model() const override { return model_; }
    bool read_only() const override { return options_.read_only; }
    std::shared_ptr<Space> open_space(std::string_view owner, std::string_view collection,
                                      bool create) override;
    void drop_space(std::string_view owner, std::string_view collection,
                    const CallControl& control) override;
    void list_spaces(
        const std::function<bool(const std::string&, const std::string&)>& visit) override;
    std::vector<Hit> search(std::span<const std::shared_ptr<Space>> spaces,
                            std::span<const float> query, size_t k, const SearchFilter& filter,
                            const CallControl& control) override;
    std::vector<Hit> search_words(std::span<const std::shared_ptr<Space>> spaces,
                                  std::string_view text, WordLeg leg, size_t k,
                                  const SearchFilter& filter, const CallControl& control) override;
    std::shared_ptr<const PointerSnapshot> pointers(const std::shared_ptr<Space>& space,
                                                    const CallControl& control) override;
    std::vector<uint64_t> hidden_chunks(const std::shared_ptr<Space>& space,
                                        const SearchFilter& filter,
                                        const CallControl& control) override;
    std::optional<HitInfo> describe(uint64_t chunk_id, const SearchFilter& filter) override;
    std::vector<HitStates> load_states(std::span<const Hit> hits, bool successors) override;
    std::optional<SegmentTokens> read_segment_tokens(uint64_t segment_id,
                                                     size_t context_tokens) override;
    std::vector<ChunkRecord> read_segment(uint64_t segment_id) override;
    std::vector<StateCache::States> restore_states(
        uint64_t segment_id, const std::vector<std::vector<float>>& states) override;
    std::string read_hit_text(uint64_t chunk_id, bool successor) override;
    void set_budget(uint64_t bytes) override;
    void compact(const CallControl& control) override;
    void backup(const std::string& target, const CallControl& control) override;
    void check(CheckLevel level, const FindingSink& found, const CallControl& control) override;
    void sync() override;
    StoreStats stats() override;
    void rebuild_index(const CallControl& control) override;
    void close() override;

    const StoreOptions& options() const { return options_; }
    ConnectionPool& readers() { return readers_; }
    std::shared_ptr<SpaceIndex> index_of(uint64_t space);
    // The space's index at `row` or later, read from the caller's transaction if need be.
    std::shared_ptr<const Snapshot> snapshot_at(Connection& connection, const SpaceRow& row);

    // Runs `work` inside one write transaction; commits. What throws inside changes nothing.
    // kReadOnly, kState.
    void write(const std::function<void(Connection&)>& work);
    // After a commit: what searches see, and what must leave the caches.
    void publish(const SpaceChange& change) noexcept;
    // False if the key is already being written in this space.
    bool claim_key(uint64_t space, const std::string& key);
    void release_key(uint64_t space, const std::string& key) noexcept;
    void require_writable() const;
    // Erases a replacement that will not be finished.
    void erase_pending(const DocumentRow& row);

    // Within a write transaction, before anything is inserted: evicts until `prepared` fits into
    // the budgets of store and space, and takes the states of `prepared` itself where nothing else
    // is left. kNoSpace.
    void make_room(Connection& connection, SpaceRow& space, std::vector<PreparedSegment>& prepared);
    // Within a write transaction, after everything else: gives pages back that the database has no
    // more room for.
    void trim(Connection& connection);
    uint64_t commit_bytes() const;
    // Writes down which states were used since the last commit, in transactions of their own that
    // keep the log short. Nothing where no budget asks for it. Best effort: the marks are hints.
    void write_uses();
    void set_space_budget(uint64_t space, uint64_t bytes);

  private:
    static constexpr size_t kMaxUses = 8192;

    // Erases some unused segments of one space, in one transaction; false if there was none. 0: of
    // any space.
    bool purge_step(uint64_t space_id);
    uint64_t free_pages();
    // Clears what deletions left between the rows of pages, in the file itself.
    void wipe_database(const CallControl& control);
    // Writes index files anew that may hold keys of deleted chunks.
    void clean_indexes(const CallControl& control);
    // kBusy while readers use an older state of the log. The caller holds writer_mutex_.
    bool try_truncate_log();
    // Runs `work` under the writer's lock with an empty log.
    void with_empty_log(const CallControl& control, const std::function<void(Connection&)>& work);

    // Pages that the budget leaves to the database when the store holds so many chunks.
    uint64_t database_pages(uint64_t chunks) const;
    void evict(Connection& connection, SpaceRow& here, uint64_t space, const StoredStates& states);
    // Erases unused segments of any space, then drops the states that were unused for longest, of
    // about so many bytes. False if there was nothing.
    bool free_some(Connection& connection, SpaceRow& here, bool all_spaces, uint64_t bytes);
    bool purge_some(Connection& connection, SpaceRow& here, bool all_spaces, uint64_t bytes);
    // After a commit, which stands whatever becomes of the log.
    void keep_log_short(Connection& connection) noexcept;
    enum class Shrunk {
        kFits,
        kTooMuch,  // keys and texts alone are more than the budget
        kStuck,    // the file has free pages and gives none back
    };
    Shrunk shrink();
    void note_use(uint64_t chunk);

    void open_for_writing();
    void open_for_reading();
    void check_model();
    void erase_unfinished_replacements();
    // States get of the cache what pointer keys leave.
    void share_cache();
    // kArgument for a space of another store.
    const class SpaceImpl& require_own(const std::shared_ptr<Space>& space) const;
    // Each once, borrowed from `spaces`: one read transaction over all makes the union of one
    // moment. kArgument too for none or too many.
    std::vector<const SpaceImpl*> searched_spaces(
        std::span<const std::shared_ptr<Space>> spaces) const;
    StateCache::States states_of(Connection& connection, const ChunkRow& chunk);
    void write_restored(const std::vector<ChunkRow>& chunks,
                        const std::vector<std::string>& bodies);

    const StoreDirectory directory_;
    const StoreOptions options_;
    ModelBinding model_;
    std::unique_ptr<FileLock> lock_;
    ConnectionPool readers_;
    StateCache states_;
    PointerCache pointers_;
    WordCache words_;
    std::mutex writer_mutex_;  // guards writer_ and its transaction
    std::unique_ptr<Connection> writer_;
    uint64_t n_writes_ = 0;     // transactions; guarded likewise
    std::mutex indexes_mutex_;  // guards indexes_
    std::map<uint64_t, std::shared_ptr<SpaceIndex>> indexes_;
    std::mutex claims_mutex_;  // guards claims_
    std::set<std::pair<uint64_t, std::string>> claims_;
    std::mutex uses_mutex_;    // guards uses_
    std::set<uint64_t> uses_;  // chunks whose states were read since the last commit
    std::atomic<uint64_t> budget_{0};
    std::atomic<bool> evicts_{false};  // the store or a space has, or had, a budget
    std::atomic<bool> closed_{false};
    std::atomic<uint64_t> index_generation_{0};
    IndexBuilder builder_;
};

}  // namespace rpt::storage
