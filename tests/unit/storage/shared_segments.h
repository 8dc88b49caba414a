// A store with one space, and edits of documents out of ready segments.
#pragma once

#include <algorithm>
#include <set>

#include "storage/sqlite/connection_pool.h"
#include "storage/sqlite/sqlite_connection.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {

using Parts = std::vector<SegmentRecord>;

inline Edit edit_of(uint64_t first, uint64_t n_old, Parts segments, bool finish = false) {
    Edit edit;
    edit.first = first;
    edit.n_old = n_old;
    edit.segments = std::move(segments);
    edit.finish = finish;
    return edit;
}

inline Edit document_of(Parts segments) {
    return finish_of(edit_of(0, 0, std::move(segments)));
}

inline SegmentRecord named(const SegmentRecord& segment) {
    return {segment.identity, {}, {}, true};
}

// The first `chunks` chunks of a segment as an open one; `provisional` more at its end.
inline SegmentRecord opened(const SegmentRecord& whole, size_t chunks, size_t provisional = 0) {
    SegmentRecord open;
    open.chunks.assign(whole.chunks.begin(),
                       whole.chunks.begin() + static_cast<ptrdiff_t>(chunks + provisional));
    for (size_t i = chunks; i < open.chunks.size(); ++i) {
        open.chunks[i].provisional = true;
        open.chunks[i].tokens.pop_back();
        open.chunks[i].states.resize(open.chunks[i].tokens.size() * kDim);
        open.chunks[i].pointers.resize(open.chunks[i].tokens.size() * kPointers);
        open.chunks[i].key[0] += 1;
    }
    open.text = whole.text.substr(0, open.chunks.size() * kChunkBytes);
    return open;
}

class SharedSegments : public StoreTest {
  protected:
    void SetUp() override {
        StoreTest::SetUp();
        store_ = open();
        space_ = store_->open_space("o", "c", true);
    }

    Parts make(size_t n, uint64_t chunks = 2) {
        Parts parts;
        for (size_t i = 0; i < n; ++i) parts.push_back(make_segment(numbers_, chunks));
        return parts;
    }
    std::set<uint64_t> found(const SearchFilter& filter = {}) { return found_in(space_, filter); }
    std::set<uint64_t> found_in(const std::shared_ptr<Space>& space, SearchFilter filter = {}) {
        std::set<uint64_t> chunks;
        for (const Hit& hit : find(*store_, space, std::vector<float>(kDim, 1), 100000, filter))
            EXPECT_TRUE(chunks.insert(hit.chunk_id).second);
        return chunks;
    }
    // The number of the chunk with this key.
    uint64_t chunk_of(const ChunkRecord& chunk) {
        const auto hits = find(*store_, space_, chunk.key, 1);
        return hits.empty() ? 0 : hits[0].chunk_id;
    }
    std::string text(const std::string& key) { return space_->read_text(key, 0, SIZE_MAX); }
    std::vector<uint64_t> ids(const std::string& key) {
        std::vector<uint64_t> ids;
        for (const SegmentInfo& info : space_->list_segments(key)) ids.push_back(info.id);
        return ids;
    }
    int64_t number(const char* sql) {
        return Connection(path_ + "/store.sqlite", Connection::Access::kReadOnly, "test")
            .read_number(sql);
    }
    void reopen() {
        space_.reset();
        store_->close();
        store_ = open();
        space_ = store_->open_space("o", "c", false);
    }

    Numbers numbers_{77};
    std::shared_ptr<Store> store_;
    std::shared_ptr<Space> space_;
};

}  // namespace rpt::storage
