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

#include "storage/chunk_table.h"
#include "storage/connection_pool.h"
#include "storage/index_builder.h"
#include "storage/space_index.h"
#include "storage/state_cache.h"
#include "storage/store.h"
#include "storage/store_directory.h"

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
    std::optional<HitInfo> describe(uint64_t chunk_id) override;
    std::vector<HitStates> load_states(std::span<const Hit> hits) override;
    std::string read_hit_text(uint64_t chunk_id, bool successor) override;
    void sync() override;
    StoreStats stats() override;
    void rebuild_index(const CallControl& control) override;
    void close() override;

    const StoreOptions& options() const { return options_; }
    ConnectionPool& readers() { return readers_; }
    std::shared_ptr<SpaceIndex> index_of(uint64_t space);

    // Runs `work` inside one write transaction; commits. What throws inside changes nothing.
    // kReadOnly, kState.
    void write(const std::function<void(Connection&)>& work);
    // After a commit: what searches see, and what must leave the caches.
    void publish(const IndexChange& change) noexcept;
    // False if the key is already being written in this space.
    bool claim_key(uint64_t space, const std::string& key);
    void release_key(uint64_t space, const std::string& key) noexcept;
    void require_writable() const;

  private:
    void open_for_writing();
    void open_for_reading();
    void check_model();
    void erase_unfinished_replacements();
    StateCache::States states_of(Connection& connection, const ChunkRow& chunk);

    const StoreDirectory directory_;
    const StoreOptions options_;
    ModelBinding model_;
    std::unique_ptr<FileLock> lock_;
    ConnectionPool readers_;
    StateCache states_;
    std::mutex writer_mutex_;  // guards writer_ and its transaction
    std::unique_ptr<Connection> writer_;
    std::mutex indexes_mutex_;  // guards indexes_
    std::map<uint64_t, std::shared_ptr<SpaceIndex>> indexes_;
    std::mutex claims_mutex_;  // guards claims_
    std::set<std::pair<uint64_t, std::string>> claims_;
    std::atomic<bool> closed_{false};
    std::atomic<uint64_t> index_generation_{0};
    IndexBuilder builder_;
};

}  // namespace rpt::storage
