// A real store in a folder of its own behind thin wrappers that count calls, fail on order and let
// a test act between two of them.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "base/error.h"
#include "core/engine/engine.h"
#include "core/text/segmenter.h"
#include "storage/store.h"

namespace rpt::fakes {

// Small enough that a text of some hundred bytes has many segments.
inline constexpr text::SegmenterOptions kSmallBorders{24, 200};

// Two chunks, as a store of this model would have it.
inline uint32_t context_tokens_of(const engine::Engine& engine) {
    return 2 * static_cast<uint32_t>(engine.config().chunk);
}

class WatchedStore;

class WatchedDocumentWriter : public storage::DocumentWriter {
  public:
    WatchedDocumentWriter(std::shared_ptr<WatchedStore> store,
                          std::unique_ptr<storage::DocumentWriter> writer)
        : store_(std::move(store)), writer_(std::move(writer)) {}

    std::optional<size_t> commit(const storage::Edit& edit, const CallControl& control) override;
    std::optional<size_t> stage(std::span<const storage::SegmentRecord> segments,
                                const CallControl& control) override;
    uint64_t commit_bytes() const override;
    storage::DocumentInfo info() const override { return writer_->info(); }
    std::vector<storage::SegmentInfo> segments() const override { return writer_->segments(); }
    std::string read_text(ByteSpan bytes) const override { return writer_->read_text(bytes); }
    std::vector<int32_t> read_tokens(uint64_t segment_id) const override {
        return writer_->read_tokens(segment_id);
    }

  private:
    const std::shared_ptr<WatchedStore> store_;  // outlives the writer
    const std::unique_ptr<storage::DocumentWriter> writer_;
};

class WatchedSpace : public storage::Space {
  public:
    WatchedSpace(std::shared_ptr<WatchedStore> store, std::shared_ptr<storage::Space> space)
        : store_(std::move(store)), space_(std::move(space)) {}

    const std::string& owner() const override { return space_->owner(); }
    const std::string& collection() const override { return space_->collection(); }
    std::unique_ptr<storage::DocumentWriter> begin_document(
        const storage::DocumentSpec& spec) override {
        return std::make_unique<WatchedDocumentWriter>(store_, space_->begin_document(spec));
    }
    std::unique_ptr<storage::DocumentWriter> resume_document(std::string_view key) override {
        return std::make_unique<WatchedDocumentWriter>(store_, space_->resume_document(key));
    }
    bool has_segment(const Digest& identity) override { return space_->has_segment(identity); }
    std::optional<storage::DocumentInfo> find_document(std::string_view key) override {
        return space_->find_document(key);
    }
    void delete_document(std::string_view key) override { space_->delete_document(key); }
    void list_documents(std::string_view after_key,
                        const std::function<bool(const storage::DocumentInfo&)>& visit) override {
        space_->list_documents(after_key, visit);
    }
    std::vector<storage::SegmentInfo> list_segments(std::string_view key) override {
        return space_->list_segments(key);
    }
    std::optional<storage::SegmentInfo> segment_at(std::string_view key, uint64_t number) override {
        return space_->segment_at(key, number);
    }
    std::string read_text(std::string_view key, uint64_t offset, size_t size) override {
        return space_->read_text(key, offset, size);
    }
    std::optional<storage::ChunkRecord> read_chunk(std::string_view key,
                                                   uint64_t ordinal) override {
        return space_->read_chunk(key, ordinal);
    }
    void set_budget(uint64_t bytes) override { space_->set_budget(bytes); }

    // What the store knows it by.
    const std::shared_ptr<storage::Space>& inner() const { return space_; }

  private:
    const std::shared_ptr<WatchedStore> store_;  // outlives the space
    const std::shared_ptr<storage::Space> space_;
};

class WatchedStore : public storage::Store {
  public:
    // `cache_bytes` 1: states come from the disk every time.
    explicit WatchedStore(const engine::Engine& engine, uint64_t cache_bytes = 0)
        : WatchedStore(engine, context_tokens_of(engine), cache_bytes) {}
    WatchedStore(const engine::Engine& engine, uint32_t context_tokens, uint64_t cache_bytes)
        : folder_(fresh_folder()) {
        storage::StoreOptions options;
        options.create = options.exclusive = true;
        options.durability = storage::Durability::kNone;
        options.packing.codec = storage::StateCodec::kInt8;  // near enough to be compared
        options.cache_bytes = cache_bytes;
        options.model = storage::ModelBinding{
            engine.fingerprint(),
            static_cast<uint32_t>(engine.config().dim),
            static_cast<uint32_t>(engine.config().chunk),
            context_tokens,
            static_cast<uint32_t>(engine.config().key_width()),
            engine.config().has_pointers() ? static_cast<uint32_t>(engine.config().pointer_width)
                                           : 0};
        store_ = storage::Store::open(folder_, options);
    }
    ~WatchedStore() override {
        store_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    const std::string& path() const override { return store_->path(); }
    const storage::ModelBinding& model() const override { return store_->model(); }
    bool read_only() const override { return store_->read_only(); }
    std::shared_ptr<storage::Space> open_space(std::string_view owner, std::string_view collection,
                                               bool create) override {
        return std::make_shared<WatchedSpace>(
            std::static_pointer_cast<WatchedStore>(shared_from_this()),
            store_->open_space(owner, collection, create));
    }
    void drop_space(std::string_view owner, std::string_view collection,
                    const CallControl& control = {}) override {
        store_->drop_space(owner, collection, control);
    }
    void list_spaces(
        const std::function<bool(const std::string&, const std::string&)>& visit) override {
        store_->list_spaces(visit);
    }
    std::vector<storage::ChunkRecord> read_segment(uint64_t segment_id) override {
        return store_->read_segment(segment_id);
    }
    void compact(const CallControl& control = {}) override { store_->compact(control); }
    void backup(const std::string& target, const CallControl& control = {}) override {
        store_->backup(target, control);
    }
    void check(storage::CheckLevel level, const storage::FindingSink& found,
               const CallControl& control = {}) override {
        store_->check(level, found, control);
    }
    std::vector<storage::Hit> search(std::span<const std::shared_ptr<storage::Space>> spaces,
                                     std::span<const float> query, size_t k,
                                     const storage::SearchFilter& filter,
                                     const CallControl& control = {}) override {
        return watched(spaces, [&](const auto& inner) {
            return store_->search(inner, query, k, filter, control);
        });
    }
    std::vector<storage::Hit> search_words(std::span<const std::shared_ptr<storage::Space>> spaces,
                                           std::string_view text, storage::WordLeg leg, size_t k,
                                           const storage::SearchFilter& filter,
                                           const CallControl& control = {}) override {
        return watched(spaces, [&](const auto& inner) {
            return store_->search_words(inner, text, leg, k, filter, control);
        });
    }
    std::shared_ptr<const storage::PointerSnapshot> pointers(
        const std::shared_ptr<storage::Space>& space, const CallControl& control = {}) override {
        return store_->pointers(static_cast<const WatchedSpace&>(*space).inner(), control);
    }
    std::vector<uint64_t> hidden_chunks(const std::shared_ptr<storage::Space>& space,
                                        const storage::SearchFilter& filter,
                                        const CallControl& control = {}) override {
        return store_->hidden_chunks(static_cast<const WatchedSpace&>(*space).inner(), filter,
                                     control);
    }
    std::optional<storage::HitInfo> describe(uint64_t chunk_id,
                                             const storage::SearchFilter& filter = {}) override {
        return store_->describe(chunk_id, filter);
    }
    std::vector<storage::HitStates> load_states(std::span<const storage::Hit> hits,
                                                bool successors = true) override {
        std::vector<storage::HitStates> all = store_->load_states(hits, successors);
        for (const storage::HitStates& states : all)
            dropped_states += (states.chunk_dropped != 0) + (states.successor_dropped != 0);
        return all;
    }
    std::optional<storage::SegmentTokens> read_segment_tokens(uint64_t segment_id,
                                                              size_t context_tokens) override {
        return store_->read_segment_tokens(segment_id, context_tokens);
    }
    std::vector<std::shared_ptr<const std::vector<float>>> restore_states(
        uint64_t segment_id, const std::vector<std::vector<float>>& states) override {
        return store_->restore_states(segment_id, states);
    }
    std::string read_hit_text(uint64_t chunk_id, bool successor) override {
        return store_->read_hit_text(chunk_id, successor);
    }
    void set_budget(uint64_t bytes) override { store_->set_budget(bytes); }
    void sync() override { store_->sync(); }
    storage::StoreStats stats() override { return store_->stats(); }
    void rebuild_index(const CallControl& control = {}) override { store_->rebuild_index(control); }
    void close() override { store_->close(); }

    // Calls so far; `*_to_failure` counts down, and the call that finds 1 fails. 0: never.
    int searches = 0, searches_to_failure = 0, commits = 0, commits_to_failure = 0;
    int dropped_states = 0;               // that load_states() answered with
    uint64_t most_values = 0;             // of states that one commit or stage was given
    uint64_t commit_bytes = 0;            // told to writers; 0: what the store says
    std::function<void()> after_search;   // between a search and the use of its hits
    std::function<void()> before_commit;  // between the making of an edit and its commit

    // What a writer is about to do.
    void count(std::span<const storage::SegmentRecord> segments) {
        ++commits;
        uint64_t values = 0;
        for (const storage::SegmentRecord& segment : segments)
            for (const storage::ChunkRecord& chunk : segment.chunks) values += chunk.states.size();
        most_values = std::max(most_values, values);
        if (commits_to_failure > 0 && --commits_to_failure == 0)
            throw Error(Status::kNoSpace, "fake", "watched store: no space left");
        if (before_commit) before_commit();
    }

  private:
    template <typename Search>
    std::vector<storage::Hit> watched(std::span<const std::shared_ptr<storage::Space>> spaces,
                                      Search search) {
        ++searches;
        if (searches_to_failure > 0 && --searches_to_failure == 0)
            throw Error(Status::kIo, "fake", "watched store: this search fails");
        std::vector<std::shared_ptr<storage::Space>> inner;
        for (const std::shared_ptr<storage::Space>& space : spaces)
            inner.push_back(static_cast<const WatchedSpace&>(*space).inner());
        std::vector<storage::Hit> hits = search(inner);
        if (after_search) after_search();
        return hits;
    }
    static std::string fresh_folder() {
        static std::atomic<uint64_t> n = 0;
        const std::string folder = testing::TempDir() + "watched_store_" +
                                   std::to_string(::getpid()) + "_" + std::to_string(n++);
        std::filesystem::remove_all(folder);
        return folder;
    }

    const std::string folder_;
    std::shared_ptr<storage::Store> store_;
};

inline std::optional<size_t> WatchedDocumentWriter::commit(const storage::Edit& edit,
                                                           const CallControl& control) {
    store_->count(edit.segments);
    return writer_->commit(edit, control);
}

inline std::optional<size_t> WatchedDocumentWriter::stage(
    std::span<const storage::SegmentRecord> segments, const CallControl& control) {
    store_->count(segments);
    return writer_->stage(segments, control);
}

inline uint64_t WatchedDocumentWriter::commit_bytes() const {
    return store_->commit_bytes != 0 ? store_->commit_bytes : writer_->commit_bytes();
}

}  // namespace rpt::fakes
