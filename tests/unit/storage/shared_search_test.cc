// Searches among documents that share segments: filters, and how hits are told.
#include "storage/document_filter.h"
#include "tests/unit/storage/shared_segments.h"

namespace rpt::storage {

TEST_F(SharedSegments, excluded_document_hides_no_chunk_that_another_holds) {
    const Parts p = make(3);
    add(*space_, "a", document_of({p[0], p[1]}));
    add(*space_, "b", document_of({p[2], p[1]}));
    SearchFilter filter;
    filter.exclude_key = "a";
    const auto without_a = found(filter);
    EXPECT_EQ(without_a.size(), 4u);
    EXPECT_TRUE(without_a.contains(chunk_of(p[1].chunks[0])));
    EXPECT_FALSE(without_a.contains(chunk_of(p[0].chunks[0])));
    filter.exclude_key = "b";
    EXPECT_EQ(found(filter).size(), 4u);
    filter.exclude_key = "absent";
    EXPECT_EQ(found(filter).size(), 6u);
    space_->delete_document("b");
    filter.exclude_key = "a";
    EXPECT_TRUE(found(filter).empty());
    // A replacement that is not finished holds nothing that searches see.
    add(*space_, "b", document_of({p[2]}));
    auto hidden = space_->begin_document(spec_of("b", true));
    hidden->commit(edit_of(0, 0, {named(p[1])}));
    EXPECT_EQ(found(filter).size(), 2u);
}

TEST_F(SharedSegments, excluded_bytes_are_of_the_document_that_is_excluded) {
    const Parts p = make(3);
    add(*space_, "a", document_of({p[0], p[1]}));      // p[1] at 20
    add(*space_, "twice", document_of({p[2], p[2]}));  // p[2] at 0 and 20
    add(*space_, "b", document_of({make(1)[0], p[1]}));
    SearchFilter filter;
    filter.exclude_key = "a";
    filter.exclude_bytes = {5, 35};  // chunks 0, 1, 2 and 3 of "a"; 2 and 3 are held by "b"
    const auto without = found(filter);
    EXPECT_EQ(without.size(), found().size() - 2);
    EXPECT_FALSE(without.contains(chunk_of(p[0].chunks[1])));
    EXPECT_TRUE(without.contains(chunk_of(p[1].chunks[0])));
    space_->delete_document("b");
    EXPECT_EQ(found(filter).size(), found().size() - 4);
    filter.exclude_bytes = {25, 30};
    EXPECT_EQ(found(filter).size(), found().size() - 1);
    EXPECT_FALSE(found(filter).contains(chunk_of(p[1].chunks[0])));
    // Only what overlaps wherever the document holds it.
    filter.exclude_key = "twice";
    filter.exclude_bytes = {0, 10};
    EXPECT_EQ(found(filter).size(), found().size());
    filter.exclude_bytes = {0, 30};
    EXPECT_EQ(found(filter).size(), found().size() - 1);
    EXPECT_FALSE(found(filter).contains(chunk_of(p[2].chunks[0])));
}

TEST_F(SharedSegments, limits_of_time_and_key_let_a_chunk_through_if_one_holder_passes) {
    const Parts p = make(4);
    const auto add_at = [&](const std::string& key, int64_t timestamp_ms, const Edit& edit) {
        DocumentSpec spec = spec_of(key);
        spec.timestamp_ms = timestamp_ms;
        space_->begin_document(spec)->commit(edit);
    };
    add_at("src/old.py", 100, document_of({p[0], p[1]}));
    add_at("src/new.py", 300, document_of({p[1], p[2]}));
    add_at("notes/new.txt", 400, document_of({p[3]}));
    const auto has = [&](const SearchFilter& filter, int part) {
        const auto keys = found(filter);
        const bool there = keys.contains(chunk_of(p[size_t(part)].chunks[0]));
        for (const WordLeg leg : {WordLeg::kWords, WordLeg::kGrams}) {
            const auto hits =
                store_->search_words({&space_, 1}, p[size_t(part)].text, leg, 100, filter);
            EXPECT_EQ(std::ranges::any_of(hits,
                                          [&](const Hit& hit) {
                                              return hit.chunk_id ==
                                                     chunk_of(p[size_t(part)].chunks[0]);
                                          }),
                      there)
                << part;
        }
        return there;
    };
    const auto hidden = [&](const SearchFilter& filter) {
        const std::set<uint64_t> all = found(), seen = found(filter);
        std::vector<uint64_t> expected;
        std::ranges::set_difference(all, seen, std::back_inserter(expected));
        EXPECT_EQ(store_->hidden_chunks(space_, filter), expected);
        return expected.size();
    };
    EXPECT_EQ(hidden({}), 0u);
    SearchFilter since;
    since.since_ms = 300;
    EXPECT_EQ(hidden(since), 2u);
    EXPECT_FALSE(has(since, 0));
    EXPECT_TRUE(has(since, 1));  // the new document holds it too
    EXPECT_TRUE(has(since, 2));
    EXPECT_TRUE(has(since, 3));
    EXPECT_EQ(store_->describe(chunk_of(p[1].chunks[0]), since)->key, "src/new.py");
    EXPECT_EQ(store_->describe(chunk_of(p[1].chunks[0]))->key, "src/old.py");
    SearchFilter before;
    before.before_ms = 300;
    EXPECT_TRUE(has(before, 0));
    EXPECT_TRUE(has(before, 1));
    EXPECT_FALSE(has(before, 2));
    EXPECT_FALSE(has(before, 3));
    SearchFilter pattern;
    pattern.key_pattern = "src/*.py";
    EXPECT_TRUE(has(pattern, 0));
    EXPECT_FALSE(has(pattern, 3));
    pattern.since_ms = 200;
    EXPECT_FALSE(has(pattern, 0));
    EXPECT_TRUE(has(pattern, 2));
    pattern.exclude_key = "src/new.py";
    EXPECT_TRUE(found(pattern).empty());  // old.py holds p[1] too, but is too old
    EXPECT_EQ(hidden(pattern), 8u);
}

TEST(document_filter, patterns) {
    const auto matches = [](const char* key, const char* pattern) {
        return matches_pattern(key, pattern);
    };
    EXPECT_TRUE(matches("src/a.py", "*.py"));
    EXPECT_TRUE(matches("src/a.py", "src/*"));
    EXPECT_TRUE(matches("src/a.py", "s*/?.py"));
    EXPECT_TRUE(matches("größe", "gr??e"));
    EXPECT_TRUE(matches("", "*"));
    EXPECT_TRUE(matches("aab", "*ab"));
    EXPECT_TRUE(matches("a*b", "a*b"));
    EXPECT_FALSE(matches("src/a.py", "*.p"));
    EXPECT_FALSE(matches("größe", "gr?e"));
    EXPECT_FALSE(matches("a", ""));
    EXPECT_FALSE(matches("a", "?b"));
    const std::string many(20000, 'a');
    EXPECT_FALSE(matches_pattern(many, "*a*a*a*a*a*a*a*b"));
}

TEST_F(SharedSegments, at_most_so_many_chunks_of_the_first_document_that_holds_them) {
    const Parts p = make(4, 3);
    add(*space_, "a", document_of({p[0], p[1]}));
    add(*space_, "b", document_of({p[1], p[2]}));  // of "b" alone: p[2]
    add(*space_, "c", document_of({p[1]}));        // nothing of its own
    SearchFilter filter;
    filter.max_per_document = 2;
    EXPECT_EQ(found(filter).size(), 4u);
    filter.max_per_document = 1;
    const auto one_each = found(filter);
    ASSERT_EQ(one_each.size(), 2u);
    std::set<std::string> keys;
    for (const uint64_t chunk : one_each) keys.insert(store_->describe(chunk)->key);
    EXPECT_EQ(keys, (std::set<std::string>{"a", "b"}));
    space_->delete_document("a");
    filter.max_per_document = 4;
    EXPECT_EQ(found(filter).size(), 4u);  // all of "b" now
}

TEST_F(SharedSegments, hit_is_told_by_its_first_document_across_borders) {
    Parts p = make(300, 2);
    DocumentSpec spec = spec_of("first");
    spec.uri = "file:///first";
    spec.timestamp_ms = 7;
    space_->begin_document(spec)->commit(document_of(p));
    add(*space_, "second", document_of({p[150], p[10]}));
    const auto about = [&](size_t segment, size_t chunk) {
        return store_->describe(chunk_of(p[segment].chunks[chunk]));
    };
    auto info = about(150, 0);  // in the middle
    ASSERT_TRUE(info);
    EXPECT_EQ(info->key, "first");
    EXPECT_EQ(info->uri, "file:///first");
    EXPECT_EQ(info->timestamp_ms, 7);
    EXPECT_EQ(info->ordinal, 300u);
    EXPECT_EQ(info->bytes, (ByteSpan{3000, 3010}));
    EXPECT_EQ(info->next_bytes, (ByteSpan{3010, 3020}));
    info = about(150, 1);  // its successor is the next segment's
    EXPECT_EQ(info->ordinal, 301u);
    EXPECT_EQ(info->next_bytes, (ByteSpan{3020, 3030}));
    const uint64_t chunk = chunk_of(p[150].chunks[1]);
    EXPECT_EQ(store_->read_hit_text(chunk, false), p[150].text.substr(10));
    EXPECT_EQ(store_->read_hit_text(chunk, true), p[151].text.substr(0, 10));
    const Hit hit{chunk, 0};
    EXPECT_EQ(store_->load_states({&hit, 1})[0].successor_id, chunk_of(p[151].chunks[0]));
    info = about(299, 1);  // the end
    EXPECT_EQ(info->ordinal, 599u);
    EXPECT_TRUE(info->next_bytes.empty());
    space_->delete_document("first");
    info = about(150, 1);
    EXPECT_EQ(info->key, "second");
    EXPECT_EQ(info->ordinal, 1u);
    EXPECT_EQ(info->bytes, (ByteSpan{10, 20}));
    EXPECT_EQ(store_->read_hit_text(chunk, true), p[10].text.substr(0, 10));
}

TEST_F(SharedSegments, successor_of_a_segment_that_follows_itself_stands_behind_it) {
    const Parts p = make(2);
    add(*space_, "a", document_of({p[0], p[1], p[1], p[1]}));
    const auto info = store_->describe(chunk_of(p[1].chunks[1]));
    EXPECT_EQ(info->ordinal, 3u);
    EXPECT_EQ(info->bytes, (ByteSpan{30, 40}));
    EXPECT_EQ(info->next_bytes, (ByteSpan{40, 50}));
}

TEST_F(SharedSegments, tokens_of_a_segment_come_with_what_stands_before_it) {
    const Parts p = make(4);
    add(*space_, "a", document_of(p));
    std::vector<int32_t> all;
    for (const SegmentRecord& segment : p)
        for (const ChunkRecord& chunk : segment.chunks)
            all.insert(all.end(), chunk.tokens.begin(), chunk.tokens.end());
    const auto segments = space_->list_segments("a");
    const size_t each = 2 * kTokens;
    for (const size_t context : {size_t(0), size_t(5), each, each + 3, size_t(1000)}) {
        const auto found = store_->read_segment_tokens(segments[2].id, context);
        ASSERT_TRUE(found);
        const size_t n = std::min(context, 2 * each);
        EXPECT_EQ(found->context, std::vector<int32_t>(all.begin() + ptrdiff_t(2 * each - n),
                                                       all.begin() + ptrdiff_t(2 * each)));
        EXPECT_EQ(found->tokens, std::vector<int32_t>(all.begin() + ptrdiff_t(2 * each),
                                                      all.begin() + ptrdiff_t(3 * each)));
        ASSERT_EQ(found->chunks.size(), 2u);
        EXPECT_EQ(found->chunks[1], chunk_of(p[2].chunks[1]));
    }
    space_->delete_document("a");
    EXPECT_FALSE(store_->read_segment_tokens(segments[2].id, 5));
}

}  // namespace rpt::storage
