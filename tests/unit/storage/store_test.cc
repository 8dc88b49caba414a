// Documents of one store: what is written, read, replaced and deleted.
#include "storage/store.h"

#include <algorithm>
#include <atomic>
#include <map>

#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

std::vector<float> rounded(const std::vector<float>& key) {
    std::vector<float> out;
    for (const float v : key) out.push_back(from_half(to_half(v)));
    return out;
}

void expect_same_chunk(const ChunkRecord& got, const ChunkRecord& put) {
    EXPECT_EQ(got.ordinal, put.ordinal);
    EXPECT_EQ(got.bytes, put.bytes);
    EXPECT_EQ(got.provisional, put.provisional);
    EXPECT_EQ(got.tokens, put.tokens);
    EXPECT_EQ(got.key, rounded(put.key));
    ASSERT_EQ(got.states.size(), put.states.size());
    for (size_t i = 0; i < put.states.size(); ++i) ASSERT_NEAR(got.states[i], put.states[i], 0.03f);
}

// What a search says, free of chunk numbers: key, ordinal, score.
std::vector<std::tuple<std::string, uint64_t, float>> told(Store& store,
                                                           const std::vector<Hit>& hits) {
    std::vector<std::tuple<std::string, uint64_t, float>> out;
    for (const Hit& hit : hits) {
        const auto info = store.describe(hit.chunk_id);
        out.emplace_back(info ? info->key : "?", info ? info->ordinal : 0, hit.score);
    }
    return out;
}

std::string document_key(int number) {
    return std::string("d").append(std::to_string(number));
}

}  // namespace

TEST_F(StoreTest, round_trip_keeps_text_chunks_and_facts) {
    Numbers numbers(1);
    Flush flush = make_document(numbers, 5);
    std::string text;
    for (int i = 0; i < 50; ++i) text.push_back(static_cast<char>('a' + i % 26));
    flush.text = text;
    DocumentSpec spec = spec_of("notes/a.md");
    spec.uri = "file:///a";
    spec.meta_json = "{\"x\":1}";
    spec.timestamp_ms = -5;
    {
        auto store = open();
        auto space = store->open_space("me", "notes", true);
        auto writer = space->begin_document(spec);
        writer->commit(flush);
        EXPECT_EQ(writer->info().chunks, 5u);
        EXPECT_EQ(status_of([&] { writer->commit({}); }), Status::kState);
        store->close();
        EXPECT_EQ(status_of([&] { space->find_document("notes/a.md"); }), Status::kState);
    }
    auto store = open();
    auto space = store->open_space("me", "notes", false);
    const auto info = space->find_document("notes/a.md");
    ASSERT_TRUE(info);
    EXPECT_EQ(info->uri, spec.uri);
    EXPECT_EQ(info->meta_json, spec.meta_json);
    EXPECT_EQ(info->timestamp_ms, -5);
    EXPECT_EQ(info->bytes, 50u);
    EXPECT_EQ(info->bytes_searchable, 50u);
    EXPECT_EQ(info->tokens, 5 * kTokens);
    EXPECT_EQ(info->revision, 1u);
    EXPECT_TRUE(info->finished);
    EXPECT_EQ(info->content_hash, sha256(text.data(), text.size()));
    for (const ChunkRecord& chunk : flush.chunks) {
        const auto got = space->read_chunk("notes/a.md", chunk.ordinal);
        ASSERT_TRUE(got);
        expect_same_chunk(*got, chunk);
    }
    EXPECT_FALSE(space->read_chunk("notes/a.md", 5));
    const auto hits = find(*store, space, flush.chunks[2].key, 1);
    ASSERT_EQ(hits.size(), 1u);
    float dot = 0;
    for (const float v : rounded(flush.chunks[2].key)) dot += v * v;
    const auto about = store->describe(hits[0].chunk_id);
    ASSERT_TRUE(about);
    EXPECT_EQ(about->ordinal, 2u);
    EXPECT_EQ(about->bytes, (ByteSpan{20, 30}));
    EXPECT_EQ(about->next_bytes, (ByteSpan{30, 40}));
    EXPECT_EQ(about->owner, "me");
    EXPECT_NEAR(hits[0].score, dot / std::sqrt(float(kDim)), 0.02f);
    EXPECT_EQ(store->read_hit_text(hits[0].chunk_id, false), text.substr(20, 10));
    EXPECT_EQ(store->read_hit_text(hits[0].chunk_id, true), text.substr(30, 10));
    const auto states = store->load_states(hits);
    ASSERT_TRUE(states[0].chunk && states[0].successor);
    EXPECT_EQ(*states[0].successor, space->read_chunk("notes/a.md", 3)->states);
    EXPECT_EQ(store->load_states(hits)[0].chunk, states[0].chunk);  // from the cache
    EXPECT_GT(store->stats().cache_hits, 0u);
}

TEST_F(StoreTest, text_reads_from_any_offset_after_any_flushes) {
    Numbers numbers(2);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    std::string text;
    auto writer = space->begin_document(spec_of("long"));
    for (int i = 0; i < 60; ++i) {
        std::string part(numbers.below(9000), ' ');
        for (char& c : part) c = static_cast<char>(numbers.below(i % 2 ? 256 : 4));
        Flush flush;
        flush.text = part;
        flush.finish = i == 59;
        writer->commit(flush);
        text += part;
    }
    EXPECT_EQ(writer->info().content_hash, sha256(text.data(), text.size()));
    for (int i = 0; i < 200; ++i) {
        const size_t offset = numbers.below(static_cast<uint32_t>(text.size() + 10));
        const size_t size = numbers.below(150000);
        EXPECT_TRUE(space->read_text("long", offset, size) ==
                    text.substr(std::min(offset, text.size()), size));
    }
    EXPECT_EQ(space->read_text("long", 0, SIZE_MAX).size(), text.size());
    EXPECT_EQ(space->read_text("long", text.size(), 5), "");
}

TEST_F(StoreTest, order_of_flushes_does_not_change_what_is_found) {
    Numbers numbers(3);
    std::map<std::string, Flush> documents;
    for (int i = 0; i < 8; ++i) documents[document_key(i)] = make_document(numbers, 6);
    const std::vector<float> query = numbers.vector(kDim);
    std::vector<std::tuple<std::string, uint64_t, float>> expected;
    auto store = open();
    for (int round = 0; round < 4; ++round) {
        auto space = store->open_space("o", std::to_string(round), true);
        // chunk by chunk, a random writer each time
        std::map<std::string, std::unique_ptr<DocumentWriter>> writers;
        std::map<std::string, size_t> done;
        for (auto& [key, flush] : documents) writers[key] = space->begin_document(spec_of(key));
        while (!writers.empty()) {
            auto at =
                std::next(writers.begin(), numbers.below(static_cast<uint32_t>(writers.size())));
            const Flush& whole = documents[at->first];
            Flush part;
            const size_t i = done[at->first]++;
            part.text = whole.text.substr(i * 10, 10);
            part.chunks = {whole.chunks[i]};
            part.finish = i + 1 == whole.chunks.size();
            at->second->commit(part);
            if (part.finish) writers.erase(at);
        }
        const auto got = told(*store, find(*store, space, query, 20));
        if (round == 0) expected = got;
        EXPECT_EQ(got, expected);
        EXPECT_EQ(space->find_document("d3")->content_hash,
                  sha256(documents["d3"].text.data(), 60));
    }
}

TEST_F(StoreTest, deleting_equals_never_having_inserted) {
    Numbers numbers(4);
    auto store = open();
    auto with = store->open_space("o", "with", true),
         without = store->open_space("o", "without", true);
    for (int i = 0; i < 30; ++i) {
        const std::string key = document_key(i);
        const Flush flush = make_document(numbers, 1 + numbers.below(9));
        add(*with, key, flush);
        if (i % 3 != 0) add(*without, key, flush);
        if (i == 15) find(*store, with, flush.chunks[0].key, 1);  // loads the index half way
    }
    for (int i = 0; i < 30; i += 3) {
        with->delete_document(document_key(i));
        EXPECT_FALSE(with->find_document(document_key(i)));
    }
    EXPECT_EQ(status_of([&] { with->delete_document("d0"); }), Status::kNotFound);
    for (int i = 0; i < 20; ++i) {
        const std::vector<float> query = numbers.vector(kDim);
        EXPECT_EQ(told(*store, find(*store, with, query, 25)),
                  told(*store, find(*store, without, query, 25)));
    }
    store->close();
    store = open();
    with = store->open_space("o", "with", false);
    without = store->open_space("o", "without", false);
    const std::vector<float> query = numbers.vector(kDim);
    EXPECT_EQ(told(*store, find(*store, with, query, 500)),
              told(*store, find(*store, without, query, 500)));
}

TEST_F(StoreTest, deleted_hits_have_no_facts_and_no_states) {
    Numbers numbers(5);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    const Flush flush = make_document(numbers, 3);
    add(*space, "a", flush);
    const auto hits = find(*store, space, flush.chunks[0].key, 1);
    store->load_states(hits);
    space->delete_document("a");
    EXPECT_FALSE(store->describe(hits[0].chunk_id));
    EXPECT_FALSE(store->load_states(hits)[0].chunk);
    EXPECT_EQ(status_of([&] { store->read_hit_text(hits[0].chunk_id, false); }), Status::kNotFound);
    EXPECT_EQ(store->stats().cache_bytes, 0u);
    EXPECT_EQ(store->stats().chunks, 0u);
    add(*space, "a", flush);
    EXPECT_GT(find(*store, space, flush.chunks[0].key, 1)[0].chunk_id,
              hits[0].chunk_id + 1);  // never reused
}

TEST_F(StoreTest, replacement_is_invisible_until_it_is_finished) {
    Numbers numbers(6);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    const Flush old = make_document(numbers, 4);
    Flush fresh = make_document(numbers, 7);
    add(*space, "a", old);
    add(*space, "b", make_document(numbers, 3));
    EXPECT_EQ(status_of([&] { space->begin_document(spec_of("a")); }), Status::kExists);
    const auto before = told(*store, find(*store, space, old.chunks[0].key, 50));
    {
        auto abandoned = space->begin_document(spec_of("a", true));
        EXPECT_EQ(status_of([&] { space->begin_document(spec_of("a", true)); }), Status::kBusy);
        EXPECT_EQ(status_of([&] { space->delete_document("a"); }), Status::kBusy);
        Flush part = fresh;
        part.finish = false;
        abandoned->commit(part);
        EXPECT_EQ(told(*store, find(*store, space, old.chunks[0].key, 50)), before);
        EXPECT_EQ(space->find_document("a")->chunks, 4u);
    }
    EXPECT_EQ(told(*store, find(*store, space, old.chunks[0].key, 50)), before);
    auto writer = space->begin_document(spec_of("a", true));
    Flush part = fresh;
    part.finish = false;
    writer->commit(part);
    add(*space, "c",
        make_document(numbers, 2));  // newer chunks become visible before the replacement's
    find(*store, space, old.chunks[0].key, 50);
    Flush end;
    end.finish = true;
    writer->commit(end);
    EXPECT_EQ(space->find_document("a")->revision, 2u);
    EXPECT_EQ(space->find_document("a")->chunks, 7u);
    EXPECT_EQ(find(*store, space, old.chunks[0].key, 50).size(), 7u + 3 + 2);
    for (const Hit& hit : find(*store, space, old.chunks[0].key, 50))
        EXPECT_TRUE(store->describe(hit.chunk_id));
    EXPECT_EQ(store->stats().documents, 3u);
    writer.reset();
    store->close();
    store = open();
    space = store->open_space("o", "c", false);
    EXPECT_EQ(find(*store, space, old.chunks[0].key, 50).size(), 7u + 3 + 2);
}

TEST_F(StoreTest, provisional_tail_is_superseded_by_the_next_flush) {
    Numbers numbers(7);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    auto writer = space->begin_document(spec_of("a"));
    ChunkRecord tail = make_chunk(numbers, 0, 3);
    tail.provisional = true;
    Flush flush;
    flush.text = "0123456789";
    flush.chunks = {tail};
    writer->commit(flush);
    EXPECT_TRUE(space->read_chunk("a", 0)->provisional);
    ASSERT_EQ(find(*store, space, tail.key, 9).size(), 1u);
    const ChunkRecord whole = make_chunk(numbers, 0);
    ChunkRecord next = make_chunk(numbers, 1, 2);
    next.provisional = true;
    flush.chunks = {whole, next};
    flush.drop_from_ordinal = 0;
    writer->commit(flush);
    expect_same_chunk(*space->read_chunk("a", 0), whole);
    EXPECT_EQ(writer->info().chunks, 2u);
    EXPECT_EQ(writer->info().tokens, kTokens + 2);
    EXPECT_EQ(find(*store, space, tail.key, 9).size(), 2u);
    Flush nothing;
    nothing.drop_from_ordinal = 0;  // whole chunks stay
    writer->commit(nothing);
    EXPECT_EQ(find(*store, space, tail.key, 9).size(), 1u);
    EXPECT_EQ(writer->info().bytes_searchable, 10u);
    EXPECT_EQ(store->stats().tokens, kTokens);
}

TEST_F(StoreTest, unfinished_document_keeps_what_was_committed) {
    Numbers numbers(8);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    Flush flush = make_document(numbers, 2);
    flush.finish = false;
    space->begin_document(spec_of("a"))->commit(flush);
    space->begin_document(spec_of("never"));
    EXPECT_FALSE(space->find_document("a")->finished);
    EXPECT_FALSE(space->find_document("never"));
    EXPECT_EQ(find(*store, space, flush.chunks[0].key, 9).size(), 2u);
    Flush empty;
    empty.finish = true;
    add(*space, "empty", empty);
    EXPECT_EQ(space->find_document("empty")->content_hash, sha256("", 0));
    EXPECT_EQ(space->read_text("empty", 0, 10), "");
}

TEST_F(StoreTest, discarded_text_keeps_tokens) {
    Numbers numbers(9);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    DocumentSpec spec = spec_of("a");
    spec.discard_text = true;
    space->begin_document(spec)->commit(make_document(numbers, 3));
    EXPECT_EQ(status_of([&] { space->read_text("a", 0, 1); }), Status::kUnsupported);
    EXPECT_EQ(space->read_chunk("a", 1)->tokens.size(), kTokens);
    EXPECT_EQ(space->find_document("a")->bytes, 30u);
    EXPECT_EQ(store->stats().text_bytes_disk, 0u);
}

TEST_F(StoreTest, names_are_checked_at_their_exact_limits) {
    auto store = open();
    auto space = store->open_space("o", "c", true);
    const auto refused = [&](const std::string& key) {
        return status_of([&] { space->begin_document(spec_of(key)); }) == Status::kArgument;
    };
    EXPECT_FALSE(refused(std::string(1023, 'k')));
    EXPECT_TRUE(refused(std::string(1024, 'k')));
    EXPECT_TRUE(refused(""));
    EXPECT_TRUE(refused(std::string("a\0b", 3)));
    EXPECT_TRUE(refused("a\nb"));
    EXPECT_TRUE(refused("a\x7f"));
    EXPECT_TRUE(refused("a\xc2\x85"));
    EXPECT_TRUE(refused("a\xff"));
    EXPECT_TRUE(refused("a\xed\xa0\x80"));
    EXPECT_FALSE(refused("\xf0\x9f\x98\x80/\xc3\xa9"));
    EXPECT_NO_THROW(store->open_space(std::string(255, 'o'), std::string(255, 'c'), true));
    EXPECT_EQ(status_of([&] { store->open_space(std::string(256, 'o'), "c", true); }),
              Status::kArgument);
    EXPECT_EQ(status_of([&] { store->open_space("o", "", true); }), Status::kArgument);
    EXPECT_EQ(status_of([&] { store->open_space("o", "absent", false); }), Status::kNotFound);
}

TEST_F(StoreTest, wrong_chunks_are_refused_and_nothing_changes) {
    Numbers numbers(10);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    auto writer = space->begin_document(spec_of("a"));
    writer->commit({"0123456789", {make_chunk(numbers, 0)}, UINT64_MAX, false});
    const auto tries = [&](auto&& spoil) {
        Flush flush{"0123456789", {make_chunk(numbers, 1)}, UINT64_MAX, true};
        spoil(flush);
        return status_of([&] { writer->commit(flush); });
    };
    EXPECT_EQ(tries([](Flush& f) { f.chunks[0].key.pop_back(); }), Status::kArgument);
    EXPECT_EQ(tries([](Flush& f) { f.chunks[0].key[3] = NAN; }), Status::kArgument);
    EXPECT_EQ(tries([](Flush& f) { f.chunks[0].key[3] = 1e6f; }), Status::kArgument);
    EXPECT_EQ(tries([](Flush& f) { f.chunks[0].states[0] = INFINITY; }), Status::kArgument);
    EXPECT_EQ(tries([](Flush& f) { f.chunks[0].states.pop_back(); }), Status::kArgument);
    EXPECT_EQ(tries([](Flush& f) { f.chunks[0].tokens.clear(); }), Status::kArgument);
    EXPECT_EQ(tries([](Flush& f) { f.chunks[0].bytes = {5, 21}; }), Status::kArgument);
    EXPECT_EQ(tries([](Flush& f) { f.chunks.push_back(f.chunks[0]); }), Status::kArgument);
    EXPECT_EQ(writer->info().bytes, 10u);
    EXPECT_EQ(space->find_document("a")->chunks, 1u);
    std::atomic<bool> cancel{true};
    EXPECT_EQ(status_of([&] {
                  writer->commit({"x", {}, UINT64_MAX, true}, CallControl(&cancel, 0));
              }),
              Status::kCancelled);
    writer->commit(
        {"0123456789", {make_chunk(numbers, 1)}, UINT64_MAX, true});  // and may be tried again
    EXPECT_EQ(space->read_text("a", 0, 99), "01234567890123456789");
}

}  // namespace rpt::storage
