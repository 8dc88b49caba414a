// Documents that share segments, open segments that grow, edits in the middle.
#include "tests/unit/storage/shared_segments.h"

namespace rpt::storage {

TEST_F(SharedSegments, two_documents_keep_one_copy) {
    const Parts p = make(5);
    add(*space_, "a", document_of({p[0], p[1], p[2]}));
    add(*space_, "b", document_of({p[3], named(p[1]), p[2], p[4]}));  // named or given in full
    EXPECT_EQ(text("a"), p[0].text + p[1].text + p[2].text);
    EXPECT_EQ(text("b"), p[3].text + p[1].text + p[2].text + p[4].text);
    const StoreStats stats = store_->stats();
    EXPECT_EQ(stats.chunks, 10u);
    EXPECT_EQ(stats.tokens, 10u * kTokens);
    EXPECT_EQ(stats.document_chunks, 14u);
    EXPECT_EQ(stats.document_tokens, 14u * kTokens);
    EXPECT_EQ(stats.text_bytes, 140u);
    EXPECT_EQ(found().size(), 10u);
    EXPECT_EQ(ids("a")[1], ids("b")[1]);
    EXPECT_EQ(ids("a")[2], ids("b")[2]);
    const auto segments = space_->list_segments("b");
    EXPECT_EQ(segments[2].bytes, (ByteSpan{40, 60}));
    EXPECT_EQ(segments[2].identity, p[2].identity);
    EXPECT_EQ(segments[2].chunks, 2u);
    for (uint64_t i = 0; i < 8; ++i) {
        const auto chunk = space_->read_chunk("b", i);
        ASSERT_TRUE(chunk);
        EXPECT_EQ(chunk->bytes, (ByteSpan{i * 10, i * 10 + 10}));
    }
    EXPECT_EQ(space_->read_chunk("b", 3)->tokens, space_->read_chunk("a", 3)->tokens);
}

TEST_F(SharedSegments, deleting_one_keeps_what_the_other_holds) {
    const Parts p = make(3);
    add(*space_, "a", document_of({p[0], p[1]}));
    add(*space_, "b", document_of({p[1], p[2]}));
    const uint64_t shared = chunk_of(p[1].chunks[0]);
    space_->delete_document("a");
    EXPECT_EQ(found().size(), 4u);
    EXPECT_EQ(chunk_of(p[1].chunks[0]), shared);
    EXPECT_EQ(store_->describe(shared)->key, "b");
    EXPECT_EQ(text("b"), p[1].text + p[2].text);
    EXPECT_EQ(store_->stats().chunks, 4u);
    space_->delete_document("b");
    EXPECT_TRUE(found().empty());
    EXPECT_EQ(store_->stats().chunks, 0u);
    EXPECT_FALSE(space_->has_segment(p[1].identity));
    reopen();
    EXPECT_TRUE(found().empty());
}

TEST_F(SharedSegments, long_document_leaves_searches_at_once_and_the_disk_in_portions) {
    const Parts p = make(60);
    add(*space_, "long", document_of(p));
    space_->delete_document("long");
    EXPECT_TRUE(found().empty());
    const auto rows = [&] { return number("SELECT count(*) FROM segments"); };
    EXPECT_LT(rows(), 60);
    EXPECT_GT(rows(), 0);
    EXPECT_EQ(store_->stats().chunks, static_cast<uint64_t>(rows()) * 2);  // kept, not seen
    reopen();
    EXPECT_TRUE(found().empty());
    // A segment that waits to be erased can come back before that; it is the last one.
    EXPECT_TRUE(space_->has_segment(p[59].identity));
    add(*space_, "again", document_of({named(p[59])}));
    EXPECT_EQ(text("again"), p[59].text);
    EXPECT_EQ(found().size(), 2u);
    for (int i = 0; rows() > 7 && i < 20; ++i)
        add(*space_, std::to_string(i), document_of(make(1)));
    for (const char* sql :
         {"SELECT count(*) FROM segments WHERE standing < 2",
          "SELECT count(*) FROM chunks WHERE segment_id NOT IN (SELECT id FROM segments)",
          "SELECT count(*) FROM states WHERE chunk_id NOT IN (SELECT id FROM chunks)"})
        EXPECT_EQ(number(sql), 0) << sql;
    EXPECT_EQ(text("again"), p[59].text);
    reopen();
    EXPECT_EQ(found().size(), store_->stats().chunks);
}

TEST_F(SharedSegments, spaces_share_nothing) {
    const Parts p = make(2);
    auto other = store_->open_space("o", "d", true);
    add(*space_, "a", document_of(p));
    EXPECT_FALSE(other->has_segment(p[0].identity));
    add(*other, "a", document_of(p));
    EXPECT_EQ(store_->stats().chunks, 8u);
    EXPECT_EQ(number("SELECT count(*) FROM segments"), 4);
    const auto here = found(), there = found_in(other);
    EXPECT_EQ(here.size(), 4u);
    EXPECT_EQ(there.size(), 4u);
    for (const uint64_t chunk : there) {
        EXPECT_FALSE(here.contains(chunk));
        EXPECT_EQ(store_->describe(chunk)->collection, "d");
    }
    space_->delete_document("a");
    EXPECT_EQ(found_in(other), there);
    auto writer = space_->begin_document(spec_of("b"));
    EXPECT_EQ(writer->commit(document_of({named(p[0])})), 0u);  // the other space's does not count
}

TEST_F(SharedSegments, replacement_shares_with_what_it_replaces) {
    const Parts p = make(5);
    add(*space_, "a", document_of({p[0], p[1], p[2]}));
    const uint64_t kept = chunk_of(p[1].chunks[0]);
    const auto before = found();
    {
        auto writer = space_->begin_document(spec_of("a", true));
        writer->commit(edit_of(0, 0, {p[3], named(p[1])}));
        EXPECT_EQ(writer->read_text({0, 99}), p[3].text + p[1].text);
        EXPECT_EQ(found(), before);
        EXPECT_EQ(text("a"), p[0].text + p[1].text + p[2].text);
        EXPECT_EQ(store_->stats().documents, 1u);
        EXPECT_EQ(store_->stats().chunks, 8u);  // kept for the writer
        writer->commit(edit_of(2, 0, {p[4]}, true));
    }
    EXPECT_EQ(text("a"), p[3].text + p[1].text + p[4].text);
    EXPECT_EQ(chunk_of(p[1].chunks[0]), kept);
    EXPECT_EQ(found().size(), 6u);
    EXPECT_EQ(store_->stats().chunks, 6u);
    EXPECT_FALSE(space_->has_segment(p[0].identity));
    {
        auto abandoned = space_->begin_document(spec_of("a", true));
        abandoned->commit(edit_of(0, 0, {p[0], named(p[4])}));
    }
    EXPECT_EQ(text("a"), p[3].text + p[1].text + p[4].text);
    EXPECT_EQ(store_->stats().chunks, 6u);
    EXPECT_FALSE(space_->has_segment(p[0].identity));
    reopen();
    EXPECT_EQ(found().size(), 6u);
}

TEST_F(SharedSegments, segment_of_a_hidden_replacement_is_seen_once_another_document_holds_it) {
    const Parts p = make(2);
    add(*space_, "a", document_of({p[0]}));
    auto writer = space_->begin_document(spec_of("a", true));
    writer->commit(edit_of(0, 0, {p[1]}));
    EXPECT_EQ(found().size(), 2u);
    add(*space_, "b", document_of({named(p[1])}));
    EXPECT_EQ(found().size(), 4u);
    EXPECT_EQ(store_->describe(chunk_of(p[1].chunks[1]))->key, "b");
    space_->delete_document("b");
    EXPECT_EQ(found().size(), 2u);
    writer->commit(edit_of(1, 0, {}, true));
    EXPECT_EQ(found().size(), 2u);
    EXPECT_EQ(text("a"), p[1].text);
}

TEST_F(SharedSegments, open_segment_grows_and_keeps_its_whole_chunks) {
    const SegmentRecord whole = make_segment(numbers_, 5);
    auto writer = space_->begin_document(spec_of("a"));
    writer->commit(edit_of(0, 0, {opened(whole, 1, 1)}));
    EXPECT_EQ(found().size(), 2u);
    const uint64_t first = chunk_of(whole.chunks[0]);
    const uint64_t provisional = chunk_of(opened(whole, 1, 1).chunks[1]);
    ASSERT_NE(first, provisional);
    EXPECT_EQ(space_->list_segments("a")[0].identity, Digest{});
    writer->commit(edit_of(0, 1, {opened(whole, 3, 1)}));
    EXPECT_EQ(found().size(), 4u);
    EXPECT_EQ(chunk_of(whole.chunks[0]), first);
    EXPECT_FALSE(store_->describe(provisional));
    EXPECT_GT(chunk_of(whole.chunks[1]), provisional);
    EXPECT_EQ(text("a"), whole.text.substr(0, 40));
    const uint64_t second = chunk_of(whole.chunks[1]), id = ids("a")[0];
    writer->commit(edit_of(0, 1, {whole}, true));
    EXPECT_EQ(found().size(), 5u);
    EXPECT_EQ(chunk_of(whole.chunks[0]), first);
    EXPECT_EQ(chunk_of(whole.chunks[1]), second);
    EXPECT_EQ(ids("a")[0], id);
    EXPECT_TRUE(space_->has_segment(whole.identity));
    EXPECT_EQ(text("a"), whole.text);
    EXPECT_EQ(store_->stats().tokens, 5u * kTokens);
    for (size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(space_->read_chunk("a", i)->tokens, whole.chunks[i].tokens);
        EXPECT_FALSE(space_->read_chunk("a", i)->provisional);
    }
    reopen();
    EXPECT_EQ(found().size(), 5u);
}

TEST_F(SharedSegments, open_segment_may_shrink_change_and_belong_to_one_document) {
    const SegmentRecord whole = make_segment(numbers_, 4);
    for (const char* key : {"a", "b"})  // equal, and yet two
        add(*space_, key, edit_of(0, 0, {opened(whole, 3)}));
    EXPECT_EQ(store_->stats().chunks, 6u);
    EXPECT_NE(ids("a")[0], ids("b")[0]);
    auto writer = space_->resume_document("a");
    writer->commit(edit_of(0, 1, {opened(whole, 1)}));
    EXPECT_EQ(text("a"), whole.text.substr(0, 10));
    SegmentRecord other = opened(make_segment(numbers_, 2), 2);
    writer->commit(edit_of(0, 1, {other}));
    EXPECT_EQ(text("a"), other.text);
    EXPECT_EQ(text("b"), whole.text.substr(0, 30));
    EXPECT_EQ(found().size(), 5u);
    writer->commit(edit_of(0, 1, {}));
    EXPECT_EQ(text("a"), "");
    EXPECT_EQ(found().size(), 3u);
    EXPECT_EQ(store_->stats().chunks, 3u);
}

TEST_F(SharedSegments, open_segment_that_ends_as_a_known_one_gives_way_to_it) {
    const SegmentRecord whole = make_segment(numbers_, 4);
    add(*space_, "a", document_of({whole}));
    auto writer = space_->begin_document(spec_of("b"));
    writer->commit(edit_of(0, 0, {opened(whole, 2, 1)}));
    EXPECT_EQ(found().size(), 7u);
    writer->commit(edit_of(0, 1, {whole}, true));
    EXPECT_EQ(ids("a"), ids("b"));
    EXPECT_EQ(found().size(), 4u);
    EXPECT_EQ(store_->stats().chunks, 4u);
    auto third = space_->begin_document(spec_of("c"));
    third->commit(edit_of(0, 0, {opened(whole, 3)}));
    EXPECT_EQ(third->commit(edit_of(0, 1, {named(whole), opened(make_segment(numbers_, 1), 1)})),
              std::nullopt);
    EXPECT_EQ(ids("c")[0], ids("a")[0]);
    EXPECT_EQ(found().size(), 5u);
}

TEST_F(SharedSegments, edit_in_the_middle_replaces_its_own_and_nothing_else) {
    const Parts p = make(8);
    add(*space_, "a", document_of({p[0], p[1], p[2], p[3]}));
    const std::vector<uint64_t> old = ids("a");
    auto writer = space_->resume_document("a");
    EXPECT_TRUE(writer->info().finished);
    writer->commit(edit_of(1, 2, {p[4], p[5], p[6]}));
    EXPECT_FALSE(space_->find_document("a")->finished);
    EXPECT_EQ(space_->find_document("a")->revision, 2u);
    EXPECT_EQ(text("a"), p[0].text + p[4].text + p[5].text + p[6].text + p[3].text);
    EXPECT_EQ(ids("a").front(), old.front());
    EXPECT_EQ(ids("a").back(), old.back());
    EXPECT_EQ(found().size(), 10u);
    writer->commit(edit_of(0, 0, {p[7]}));        // in front
    writer->commit(edit_of(2, 3, {}));            // taken out
    writer->commit(edit_of(1, 0, {p[7]}, true));  // a second time in one document
    EXPECT_EQ(text("a"), p[7].text + p[7].text + p[0].text + p[3].text);
    EXPECT_EQ(writer->info().bytes, 80u);
    EXPECT_EQ(writer->info().chunks, 8u);
    EXPECT_EQ(writer->info().tokens, 8u * kTokens);
    EXPECT_EQ(found().size(), 6u);
    EXPECT_EQ(store_->stats().chunks, 6u);
    const auto segments = writer->segments();
    ASSERT_EQ(segments.size(), 4u);
    EXPECT_EQ(segments[0].id, segments[1].id);
    EXPECT_EQ(segments[1].bytes, (ByteSpan{20, 40}));
    std::vector<int32_t> tokens;
    for (const ChunkRecord& chunk : p[7].chunks)
        tokens.insert(tokens.end(), chunk.tokens.begin(), chunk.tokens.end());
    EXPECT_EQ(writer->read_tokens(segments[1].id), tokens);
    EXPECT_EQ(status_of([&] { writer->commit({}); }), Status::kState);
    writer.reset();
    reopen();
    EXPECT_EQ(text("a"), p[7].text + p[7].text + p[0].text + p[3].text);
    EXPECT_EQ(found().size(), 6u);
}

TEST_F(SharedSegments, places_are_numbered_anew_where_there_is_no_room) {
    const Parts p = make(140, 1);
    auto writer = space_->begin_document(spec_of("a"));
    std::vector<std::string> texts = {p[0].text, p[1].text};
    writer->commit(edit_of(0, 0, {p[0], p[1]}));
    bool was_renumbered = false;
    int64_t last = number("SELECT max(place) FROM places");
    for (size_t i = 2; i < p.size(); ++i) {
        // A gap of 2^32 halves each time: gone after 32.
        const size_t at = i < 80 ? 1 : i - 40;
        writer->commit(edit_of(at, 0, {p[i]}));
        texts.insert(texts.begin() + static_cast<ptrdiff_t>(at), p[i].text);
        was_renumbered |= number("SELECT max(place) FROM places") != last;
        last = number("SELECT max(place) FROM places");
    }
    EXPECT_TRUE(was_renumbered);
    std::string whole;
    for (const std::string& text : texts) whole += text;
    EXPECT_EQ(text("a"), whole);
    EXPECT_EQ(writer->read_text({0, whole.size()}), whole);
    writer.reset();
    reopen();
    EXPECT_EQ(text("a"), whole);
    EXPECT_EQ(space_->list_segments("a").size(), texts.size());
}

TEST_F(SharedSegments, lost_known_segment_is_told_and_nothing_changes) {
    const Parts p = make(4);
    add(*space_, "a", document_of({p[0], p[1]}));
    auto writer = space_->begin_document(spec_of("b"));
    writer->commit(edit_of(0, 0, {p[2]}));
    space_->delete_document("a");
    const auto before = found();
    const uint64_t generation = store_->stats().generation;
    Edit edit = edit_of(0, 1, {p[3], named(p[2]), named(p[1])}, true);
    EXPECT_EQ(writer->commit(edit), 2u);
    EXPECT_EQ(found(), before);
    EXPECT_EQ(store_->stats().generation, generation);
    EXPECT_EQ(text("b"), p[2].text);
    EXPECT_FALSE(writer->info().finished);
    EXPECT_EQ(writer->info().bytes, 20u);
    edit.segments[2] = p[1];
    EXPECT_EQ(writer->commit(edit), std::nullopt);
    EXPECT_EQ(text("b"), p[3].text + p[2].text + p[1].text);
    EXPECT_TRUE(space_->find_document("b")->finished);
    // Not even the row of a new document is left.
    auto fresh = space_->begin_document(spec_of("c"));
    EXPECT_EQ(fresh->commit(document_of({named(p[0])})), 0u);
    EXPECT_FALSE(space_->find_document("c"));
}

TEST_F(SharedSegments, resuming_goes_on_where_the_document_stands) {
    const Parts p = make(3);
    EXPECT_EQ(status_of([&] { space_->resume_document("a"); }), Status::kNotFound);
    add(*space_, "a", edit_of(0, 0, {p[0]}));
    {
        auto writer = space_->resume_document("a");
        EXPECT_EQ(status_of([&] { space_->resume_document("a"); }), Status::kBusy);
        EXPECT_EQ(status_of([&] { space_->begin_document(spec_of("a", true)); }), Status::kBusy);
        EXPECT_EQ(status_of([&] { space_->delete_document("a"); }), Status::kBusy);
        EXPECT_EQ(writer->info().bytes, 20u);
        EXPECT_EQ(writer->read_text({0, 99}), p[0].text);
        writer->commit(edit_of(1, 0, {p[1]}));
    }
    reopen();
    auto writer = space_->resume_document("a");
    ASSERT_EQ(writer->segments().size(), 2u);
    Edit end = edit_of(2, 0, {p[2]}, true);
    end.content_hash = identity_of(p[0].text + p[1].text + p[2].text);
    writer->commit(end);
    const auto info = space_->find_document("a");
    EXPECT_TRUE(info->finished);
    EXPECT_EQ(info->revision, 1u);  // it was not finished before
    EXPECT_EQ(info->content_hash, end.content_hash);
    EXPECT_EQ(text("a"), p[0].text + p[1].text + p[2].text);
    auto reader = open_reader();
    EXPECT_EQ(status_of([&] { reader->open_space("o", "c", false)->resume_document("a"); }),
              Status::kReadOnly);
}

TEST_F(SharedSegments, document_without_text_shares_nothing_with_one_that_keeps_it) {
    Parts p = make(2);
    add(*space_, "kept", document_of(p));
    Parts discarded = p;  // the writer's identities tell them apart
    for (SegmentRecord& segment : discarded) segment.identity = identity_of("-" + segment.text);
    DocumentSpec spec = spec_of("discarded");
    spec.discard_text = true;
    space_->begin_document(spec)->commit(document_of(discarded));
    EXPECT_EQ(store_->stats().chunks, 8u);
    EXPECT_TRUE(space_->find_document("discarded")->text_discarded);
    EXPECT_EQ(status_of([&] { text("discarded"); }), Status::kUnsupported);
    EXPECT_EQ(text("kept"), p[0].text + p[1].text);
    EXPECT_EQ(space_->find_document("discarded")->bytes, 40u);
    auto writer = space_->resume_document("discarded");
    EXPECT_EQ(status_of([&] { writer->read_text({0, 1}); }), Status::kUnsupported);
    SegmentRecord more = make_segment(numbers_, 1);
    writer->commit(edit_of(2, 0, {more}));
    EXPECT_EQ(status_of([&] { space_->read_text("discarded", 40, 5); }), Status::kUnsupported);
    EXPECT_EQ(writer->read_tokens(writer->segments()[2].id), more.chunks[0].tokens);
}

}  // namespace rpt::storage
