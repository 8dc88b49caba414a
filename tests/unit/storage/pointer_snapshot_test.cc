// What a scan of a space's pointer keys sees, against a slow twin that walks the documents.
#include <gtest/gtest.h>

#include <map>

#include "storage/codec/pointer_codec.h"
#include "tests/unit/storage/shared_segments.h"

namespace rpt::storage {

class Pointers : public SharedSegments {
  protected:
    struct Row {
        int32_t token = 0, next = -1;
        std::vector<float> key;
        bool operator==(const Row&) const = default;
    };
    using Rows = std::map<uint64_t, std::vector<Row>>;  // by chunk

    static Rows seen(const PointerSnapshot& snapshot) {
        Rows rows;
        uint64_t tokens = 0;
        for (const PointerSnapshot::Part& part : snapshot.parts) {
            const std::vector<float> keys = expand_pointers(part.rows(), snapshot.width);
            std::vector<Row>& out = rows[part.chunk()];
            const std::span<const int32_t> tokens_here = part.rows().tokens;
            const size_t n = tokens_here.size();
            tokens += n;
            for (size_t t = 0; t < n; ++t)
                out.push_back({tokens_here[t],
                               t + 1 < n ? tokens_here[t + 1] : part.next,
                               {keys.begin() + ptrdiff_t(t * snapshot.width),
                                keys.begin() + ptrdiff_t((t + 1) * snapshot.width)}});
        }
        EXPECT_EQ(tokens, snapshot.tokens);
        return rows;
    }

    // Chunk by chunk through the space's own calls; a segment's successor is the one behind its
    // first place in the first document.
    static Rows expected(Store& store, const std::shared_ptr<Space>& space) {
        Rows rows;
        std::map<uint64_t, std::vector<std::string>> documents;  // by number
        space->list_documents("", [&](const DocumentInfo& info) {
            documents[info.id].push_back(info.key);
            return true;
        });
        for (const auto& [id, keys] : documents) {
            const std::vector<SegmentInfo> segments = space->list_segments(keys[0]);
            for (size_t s = 0; s < segments.size(); ++s) {
                const auto tokens = store.read_segment_tokens(segments[s].id, 0);
                const std::vector<ChunkRecord> chunks = store.read_segment(segments[s].id);
                if (chunks.empty() || rows.contains(tokens->chunks[0])) continue;
                std::vector<int32_t> after = tokens->tokens;
                after.erase(after.begin());
                after.push_back(-1);
                if (s + 1 < segments.size()) {
                    const auto next = store.read_segment_tokens(segments[s + 1].id, 0);
                    if (!next->tokens.empty()) after.back() = next->tokens.front();
                }
                size_t at = 0;
                for (size_t c = 0; c < chunks.size(); ++c)
                    for (size_t t = 0; t < chunks[c].tokens.size(); ++t, ++at)
                        rows[tokens->chunks[c]].push_back(
                            {chunks[c].tokens[t],
                             after[at],
                             {chunks[c].pointers.begin() + ptrdiff_t(t * kPointers),
                              chunks[c].pointers.begin() + ptrdiff_t((t + 1) * kPointers)}});
            }
        }
        return rows;
    }

    void expect_same(const char* when) {
        EXPECT_EQ(seen(*store_->pointers(space_)), expected(*store_, space_)) << when;
        const auto fresh = open_reader();
        const auto space = fresh->open_space("o", "c", false);
        EXPECT_EQ(seen(*fresh->pointers(space)), expected(*fresh, space)) << when << ", fresh";
    }
};

TEST_F(Pointers, snapshot_follows_every_change) {
    expect_same("empty");
    const Parts parts = make(9);
    add(*space_, "a", document_of({parts[0], parts[1], parts[2]}));
    expect_same("one document");
    add(*space_, "b", document_of({parts[3], named(parts[1]), parts[4]}));
    expect_same("a shared segment");
    space_->resume_document("a")->commit(edit_of(1, 1, {parts[5], parts[6]}));
    expect_same("its first document lost it");
    space_->resume_document("b")->commit(edit_of(2, 1, {parts[7]}));
    expect_same("another segment follows");
    add(*space_, "a", document_of({parts[8], parts[0]}), true);
    expect_same("replaced");
    space_->delete_document("b");
    expect_same("deleted");
    store_->compact();
    expect_same("compact");
    space_->delete_document("a");
    EXPECT_EQ(store_->pointers(space_)->tokens, 0u);
}

TEST_F(Pointers, open_segment_grows_and_closes) {
    const SegmentRecord whole = make_segment(numbers_, 5);
    const auto writer = space_->begin_document(spec_of("a"));
    for (size_t chunks = 1; chunks < 5; ++chunks) {
        writer->commit(edit_of(0, chunks > 1, {opened(whole, chunks - 1, 1)}));
        expect_same("open");
        writer->commit(edit_of(0, 1, {opened(whole, chunks)}));
        expect_same("longer");
    }
    writer->commit(edit_of(0, 1, {whole, make_segment(numbers_, 1)}, true));
    expect_same("closed");
}

TEST_F(Pointers, what_did_not_change_is_not_read_again) {
    const Parts parts = make(3);
    add(*space_, "a", document_of({parts[0], parts[1]}));
    const auto before = store_->pointers(space_);
    EXPECT_EQ(store_->pointers(space_), before);  // the very same
    // What is gone from the disk is not missed.
    Connection(path_ + "/store.sqlite", Connection::Access::kReadWrite, "test")
        .exec("DELETE FROM pointers");
    add(*space_, "b", document_of({parts[2]}));
    const auto after = store_->pointers(space_);
    ASSERT_EQ(before->parts.size(), 4u);
    ASSERT_EQ(after->parts.size(), 6u);
    EXPECT_EQ(before->tokens, 4u * kTokens);  // immutable
    Rows both = seen(*after);
    for (const auto& [chunk, rows] : seen(*before)) EXPECT_EQ(both.at(chunk), rows);
}

TEST_F(Pointers, pages_without_a_change_are_shared) {
    std::vector<std::string> keys;
    for (size_t i = 0; i < 5; ++i) {
        keys.push_back("d" + std::to_string(i));
        add(*space_, keys.back(), document_of(make(8, 8)));  // 64 chunks
    }
    const auto before = store_->pointers(space_);
    ASSERT_EQ(before->pages.size(), 2u);
    EXPECT_EQ(before->pages[1]->chunk(0) % PointerPage::kChunks, 0u);
    add(*space_, "e", document_of(make(1)));
    const auto longer = store_->pointers(space_);
    ASSERT_EQ(longer->pages.size(), 2u);
    EXPECT_EQ(longer->pages[0], before->pages[0]);
    EXPECT_NE(longer->pages[1], before->pages[1]);
    expect_same("appended");
    space_->delete_document(keys[1]);
    const auto shorter = store_->pointers(space_);
    EXPECT_NE(shorter->pages[0], before->pages[0]);
    EXPECT_EQ(shorter->pages[1], longer->pages[1]);
    expect_same("deleted");
    for (size_t i = 0; i < 4; ++i)
        if (i != 1) space_->delete_document(keys[i]);
    expect_same("a page is empty");
    EXPECT_EQ(store_->pointers(space_)->memory_bytes, [&] {
        uint64_t bytes = 0;
        const auto now = store_->pointers(space_);
        for (const auto& page : now->pages) bytes += page->memory_bytes();
        return bytes;
    }());
}

TEST_F(Pointers, other_spaces_and_hidden_replacements_are_not_seen) {
    const Parts parts = make(4);
    add(*space_, "a", document_of({parts[0]}));
    const auto other = store_->open_space("o", "d", true);
    add(*other, "a", document_of({parts[0], parts[1]}));
    EXPECT_EQ(store_->pointers(space_)->parts.size(), 2u);
    EXPECT_EQ(store_->pointers(other)->parts.size(), 4u);
    const auto writer = space_->begin_document(spec_of("a", true));
    writer->commit(edit_of(0, 0, {parts[2]}));
    EXPECT_EQ(store_->pointers(space_)->parts.size(), 2u);
    writer->commit(edit_of(1, 0, {parts[3]}, true));
    expect_same("replaced");
    StoreOptions o = options();
    const auto foreign = backend().open(folder_ + "/foreign", o);
    const auto theirs = foreign->open_space("o", "c", true);
    EXPECT_EQ(status_of([&] { store_->pointers(theirs); }), Status::kArgument);
    store_->drop_space("o", "d");
    EXPECT_EQ(status_of([&] { store_->pointers(other); }), Status::kNotFound);
}

TEST_F(Pointers, a_reader_sees_new_commits) {
    const auto reader = open_reader();
    add(*space_, "a", document_of(make(1)));
    const auto space = reader->open_space("o", "c", false);
    EXPECT_EQ(reader->pointers(space)->parts.size(), 2u);
    add(*space_, "b", document_of(make(1)));
    EXPECT_EQ(reader->pointers(space)->parts.size(), 4u);
    space_->delete_document("a");
    EXPECT_EQ(reader->pointers(space)->parts.size(), 2u);
}

TEST_F(Pointers, memory_stays_within_the_cache) {
    store_->close();
    StoreOptions o = options();
    const Parts parts = make(8);
    o.cache_bytes = 4 * 16 * (sizeof(PointerRows) + 64 + 100);
    store_ = backend().open(path_, o);
    std::vector<std::shared_ptr<Space>> spaces;
    for (int i = 0; i < 6; ++i) {
        spaces.push_back(store_->open_space("o", "s" + std::to_string(i), true));
        add(*spaces.back(), "a", document_of(parts));
    }
    for (int round = 0; round < 2; ++round)
        for (const auto& space : spaces) {
            EXPECT_EQ(store_->pointers(space)->parts.size(), 16u);
            EXPECT_GT(store_->stats().cache_bytes, 0u);
            EXPECT_LE(store_->stats().cache_bytes, o.cache_bytes / 4 * 3);
        }
    // Larger than all of it: kept while it is held.
    store_->close();
    o.cache_bytes = 1000;
    store_ = backend().open(path_, o);
    const auto space = store_->open_space("o", "s0", false);
    const auto held = store_->pointers(space);
    EXPECT_EQ(store_->stats().cache_bytes, 0u);
    EXPECT_EQ(store_->pointers(space), held);
}

TEST_F(Pointers, long_reading_is_cancelled) {
    add(*space_, "a", document_of(make(3)));
    const CallControl control(nullptr, 0, [](uint64_t, uint64_t) { return false; });
    EXPECT_EQ(status_of([&] { store_->pointers(space_, control); }), Status::kCancelled);
    expect_same("after");
}

TEST_F(StoreTest, model_without_pointers_writes_none) {
    StoreOptions o = options();
    o.model->pointer_dim = 0;
    const auto store = backend().open(path_, o);
    const auto space = store->open_space("o", "c", true);
    Numbers numbers(6);
    Edit edit = make_document(numbers, 3);
    std::string text;
    EXPECT_EQ(status_of([&] { add(*space, "a", edit); }, &text), Status::kArgument);
    EXPECT_NE(text.find("its pointer keys have 56 values"), std::string::npos) << text;
    for (SegmentRecord& segment : edit.segments)
        for (ChunkRecord& chunk : segment.chunks) chunk.pointers.clear();
    add(*space, "a", edit);
    EXPECT_EQ(store->pointers(space)->width, 0u);
    EXPECT_EQ(store->pointers(space)->tokens, 0u);
    EXPECT_EQ(store->stats().pointer_bytes, 0u);
    EXPECT_TRUE(space->read_chunk("a", 0)->pointers.empty());
    store->close();
    Connection connection(path_ + "/store.sqlite", Connection::Access::kReadOnly, "test");
    EXPECT_EQ(connection.read_number("SELECT count(*) FROM pointers"), 0);
    o.model->pointer_dim = kPointers;
    EXPECT_EQ(status_of([&] { backend().open(path_, o); }, &text), Status::kModelMismatch);
}

TEST_F(StoreTest, pointer_bytes_are_counted) {
    const auto store = open();
    const auto space = store->open_space("o", "c", true);
    Numbers numbers(7);
    add(*space, "a", make_document(numbers, 9));
    Connection connection(path_ + "/store.sqlite", Connection::Access::kReadOnly, "test");
    EXPECT_EQ(store->stats().pointer_bytes,
              uint64_t(connection.read_number("SELECT sum(length(body)) FROM pointers")));
}

}  // namespace rpt::storage
