// Stores under a budget, chunks whose states are nearly all of their bytes, and a look at what the
// folder takes meanwhile.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <set>
#include <thread>

#include "storage/sqlite/sqlite_connection.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {

inline constexpr uint32_t kWide = 64;   // of keys and states
inline constexpr uint32_t kLong = 128;  // tokens of a chunk: 8 KiB of states
inline constexpr uint64_t kMiB = 1 << 20;

// What the folder takes, as `du` counts; files that vanish meanwhile are left out.
inline uint64_t folder_bytes(const std::string& path) {
    struct stat facts {};
    uint64_t bytes = ::lstat(path.c_str(), &facts) == 0 ? uint64_t(facts.st_blocks) * 512 : 0;
    std::error_code ignored;
    for (auto entry = std::filesystem::recursive_directory_iterator(path, ignored);
         !ignored && entry != std::filesystem::recursive_directory_iterator();
         entry.increment(ignored))
        if (::lstat(entry->path().c_str(), &facts) == 0) bytes += uint64_t(facts.st_blocks) * 512;
    return bytes;
}

// The most that the folder ever took, looked at every 2 ms and whenever asked. One thread of its
// own.
class FolderWatch {
  public:
    explicit FolderWatch(std::string path) : path_(std::move(path)) {
        thread_ = std::thread([this] {
            while (!stop_) {
                look();
                ::usleep(2000);
            }
        });
    }
    ~FolderWatch() {
        stop_ = true;
        thread_.join();
    }
    void look() {
        const uint64_t now = folder_bytes(path_);
        uint64_t before = most_;
        while (before < now && !most_.compare_exchange_weak(before, now)) {
        }
    }
    uint64_t most() {
        look();
        return most_;
    }

  private:
    const std::string path_;
    std::atomic<uint64_t> most_{0};
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

// States evenly spread, which do not pack.
inline ChunkRecord wide_chunk(Numbers& numbers, uint64_t ordinal, uint32_t pointers) {
    ChunkRecord chunk = make_chunk(numbers, ordinal, 1, kWide);
    while (chunk.tokens.size() < kLong) chunk.tokens.push_back(int32_t(numbers.below(50000)));
    chunk.states.resize(size_t(kLong) * kWide);
    for (float& v : chunk.states) v = numbers.unit() - 0.5f;
    chunk.pointers = unit_rows(numbers, kLong, pointers);
    return chunk;
}

inline SegmentRecord wide_segment(Numbers& numbers, uint64_t chunks, uint32_t pointers = 0) {
    SegmentRecord segment;
    for (uint64_t i = 0; i < chunks; ++i)
        segment.chunks.push_back(wide_chunk(numbers, i, pointers));
    segment.text = text_of(segment.chunks);
    segment.identity = identity_of(segment.text);
    return segment;
}

class StoreBudget : public StoreTest {
  protected:
    static StoreOptions wide_options(uint32_t pointers = 0) {
        StoreOptions o = options();
        o.model->dim = kWide;
        o.model->pointer_dim = pointers;
        o.model->chunk_tokens = kLong;
        return o;
    }
    std::shared_ptr<Store> open_wide(const std::string& path) {
        return Store::open(path, wide_options());
    }
    // A document committed in edits as large as commit_bytes() allows.
    static void ingest(Space& space, const std::string& key,
                       const std::vector<SegmentRecord>& segments,
                       const std::function<void()>& after_commit = {}) {
        auto writer = space.begin_document(spec_of(key));
        const auto bytes_of = [](const SegmentRecord& segment) {
            return segment.text.size() + segment.chunks.size() * kLong * (kWide + 8);
        };
        Edit edit;
        uint64_t bytes = 0;
        for (size_t i = 0; i < segments.size(); ++i) {
            edit.segments.push_back(segments[i]);
            bytes += bytes_of(segments[i]);
            edit.finish = i + 1 == segments.size();
            if (!edit.finish && bytes + bytes_of(segments[i + 1]) <= writer->commit_bytes())
                continue;
            writer->commit(edit);
            if (after_commit) after_commit();
            edit.first += edit.segments.size();
            edit.segments.clear();
            bytes = 0;
        }
    }
    static std::vector<SegmentRecord> wide_document(Numbers& numbers, size_t segments,
                                                    uint64_t chunks) {
        std::vector<SegmentRecord> made;
        for (size_t i = 0; i < segments; ++i) made.push_back(wide_segment(numbers, chunks));
        return made;
    }
    static std::vector<uint8_t> pointer_rows(Store& store, const std::shared_ptr<Space>& space) {
        std::vector<uint8_t> rows;
        const auto snapshot = store.pointers(space);
        for (const PointerSnapshot::Part& part : snapshot->parts)
            rows.insert(rows.end(), part.rows().nibbles.begin(), part.rows().nibbles.end());
        return rows;
    }
    static std::set<uint64_t> with_states(const std::string& path) {
        Connection connection(path + "/store.sqlite", Connection::Access::kReadOnly, "test");
        std::set<uint64_t> chunks;
        Query query(connection, "SELECT chunk_id FROM states");
        while (query.step()) chunks.insert(query.count(0));
        return chunks;
    }
    static std::vector<Hit> all(Store& store, const std::shared_ptr<Space>& space,
                                const std::vector<float>& query) {
        SearchFilter exact;
        exact.exact = true;
        return store.search({&space, 1}, query, 100000, exact);
    }
    static void report(const char* what, uint64_t most, uint64_t budget) {
        RecordProperty(what, std::to_string(double(most) / double(budget)));
        std::printf("%s: most %llu of %llu bytes, %.4f\n", what,
                    static_cast<unsigned long long>(most), static_cast<unsigned long long>(budget),
                    double(most) / double(budget));
    }
};

}  // namespace rpt::storage
