// Documents, spaces and searches of one store.
#include "storage/store.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>

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

TEST_F(StoreTest, search_refuses_wrong_arguments) {
    auto store = open();
    auto space = store->open_space("o", "c", true);
    EXPECT_TRUE(find(*store, space, std::vector<float>(kDim), 3).empty());
    EXPECT_EQ(status_of([&] { find(*store, space, std::vector<float>(kDim - 1), 3); }),
              Status::kArgument);
    EXPECT_EQ(status_of([&] { find(*store, space, std::vector<float>(kDim, NAN), 3); }),
              Status::kArgument);
    EXPECT_EQ(status_of([&] { store->search({}, std::vector<float>(kDim), 3, {}); }),
              Status::kArgument);
    auto other = Store::open(folder_ + "/other", options());
    auto foreign = other->open_space("o", "c", true);
    EXPECT_EQ(status_of([&] { find(*store, foreign, std::vector<float>(kDim), 3); }),
              Status::kArgument);
}

TEST_F(StoreTest, spaces_never_see_each_other) {
    Numbers numbers(11);
    auto store = open();
    std::vector<std::shared_ptr<Space>> spaces;
    std::vector<Flush> flushes;
    for (int i = 0; i < 25; ++i) {
        spaces.push_back(store->open_space(std::string("owner").append(std::to_string(i / 2)),
                                           i % 2 ? "b" : "a", true));
        flushes.push_back(make_document(numbers, 4));
        add(*spaces.back(), "same key", flushes.back());
    }
    for (int i = 0; i < 300; ++i) {
        std::vector<std::shared_ptr<Space>> asked;
        std::set<std::pair<std::string, std::string>> names;
        for (uint32_t n = 1 + numbers.below(3); n > 0; --n) {
            asked.push_back(spaces[numbers.below(25)]);
            names.emplace(asked.back()->owner(), asked.back()->collection());
        }
        // the question is a key of some other space
        const auto hits = store->search(asked, flushes[numbers.below(25)].chunks[0].key, 50, {});
        EXPECT_EQ(hits.size(), names.size() * 4);
        EXPECT_TRUE(std::ranges::is_sorted(hits, std::greater<>(), &Hit::score));
        for (const Hit& hit : hits) {
            const auto info = store->describe(hit.chunk_id);
            EXPECT_TRUE(names.contains({info->owner, info->collection}));
        }
    }
    EXPECT_EQ(store->stats().spaces, 25u);
}

TEST_F(StoreTest, dropped_space_is_gone_and_its_handles_say_so) {
    Numbers numbers(12);
    auto store = open();
    auto space = store->open_space("o", "c", true), other = store->open_space("o", "d", true);
    const Flush flush = make_document(numbers, 4);
    add(*space, "a", flush);
    add(*other, "a", flush);
    auto writer = space->begin_document(spec_of("b"));
    find(*store, space, flush.chunks[0].key, 3);
    store->drop_space("o", "c");
    EXPECT_EQ(status_of([&] { space->find_document("a"); }), Status::kNotFound);
    EXPECT_EQ(status_of([&] { find(*store, space, flush.chunks[0].key, 3); }), Status::kNotFound);
    EXPECT_EQ(status_of([&] { writer->commit(flush); }), Status::kNotFound);
    EXPECT_EQ(status_of([&] { store->drop_space("o", "c"); }), Status::kNotFound);
    EXPECT_EQ(find(*store, other, flush.chunks[0].key, 9).size(), 4u);
    auto again = store->open_space("o", "c", true);
    EXPECT_TRUE(find(*store, again, flush.chunks[0].key, 3).empty());
    EXPECT_FALSE(again->find_document("a"));
    std::vector<std::string> names;
    store->list_spaces([&](const std::string& owner, const std::string& collection) {
        names.push_back(owner + "/" + collection);
        return true;
    });
    EXPECT_EQ(names, (std::vector<std::string>{"o/c", "o/d"}));
}

TEST_F(StoreTest, documents_are_listed_in_byte_order_from_a_snapshot) {
    Numbers numbers(13);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    for (const char* key : {"b", "a", "Z", "\xc3\xa9", "a/1", "a!"})
        add(*space, key, make_document(numbers, 1));
    std::vector<std::string> keys;
    space->list_documents("Z", [&](const DocumentInfo& info) {
        keys.push_back(info.key);
        if (info.key == "a") space->delete_document("b");  // this list does not see it
        return info.key != "b";
    });
    EXPECT_EQ(keys, (std::vector<std::string>{"a", "a!", "a/1", "b"}));
}

TEST_F(StoreTest, excluding_a_document_or_its_part) {
    Numbers numbers(14);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    const Flush flush = make_document(numbers, 6);
    add(*space, "a", flush);
    add(*space, "b", make_document(numbers, 6));
    SearchFilter filter;
    filter.exclude_key = "a";
    EXPECT_EQ(find(*store, space, flush.chunks[0].key, 50, filter).size(), 6u);
    filter.exclude_bytes = {10, 30};
    EXPECT_EQ(find(*store, space, flush.chunks[0].key, 50, filter).size(), 10u);
    EXPECT_EQ(find(*store, space, flush.chunks[1].key, 1, filter)[0].score <
                  find(*store, space, flush.chunks[1].key, 1)[0].score,
              true);
    add(*space, "a", make_document(numbers, 2), true);  // replaced: the name still excludes
    filter.exclude_bytes = {};
    EXPECT_EQ(find(*store, space, flush.chunks[0].key, 50, filter).size(), 6u);
}

TEST_F(StoreTest, large_space_gets_a_graph_that_survives_reopening) {
    Numbers numbers(15);
    StoreOptions o = options();
    o.flat_limit = 1500;
    auto store = Store::open(path_, o);
    auto space = store->open_space("o", "c", true);
    std::vector<std::vector<float>> keys;
    for (int i = 0; i < 8; ++i) {
        const Flush flush = make_document(numbers, 500);
        for (const ChunkRecord& chunk : flush.chunks) keys.push_back(chunk.key);
        add(*space, document_key(i), flush);
    }
    SearchFilter exact;
    exact.exact = true;
    const auto right = [&] {
        size_t n = 0;
        for (int i = 0; i < 100; ++i) {
            const std::vector<float> query = numbers.vector(kDim);
            const auto expected = find(*store, space, query, 2, exact),
                       got = find(*store, space, query, 2);
            for (size_t j = 0; j < 2; ++j) n += got[j].chunk_id == expected[j].chunk_id;
        }
        return n;
    };
    EXPECT_GE(right(), 198u);
    store->rebuild_index();
    EXPECT_GE(right(), 198u);
    EXPECT_GT(store->stats().index_bytes, 0u);
    EXPECT_EQ(store->stats().index_generation, store->stats().generation);
    store->close();
    store = Store::open(path_, o);
    space = store->open_space("o", "c", false);
    EXPECT_GE(right(), 198u);
    space->delete_document("d0");
    EXPECT_EQ(store->stats().index_bytes, 0u);  // the old keys do not wait on disk for a rebuild
    for (const Hit& hit : find(*store, space, keys[3], 60))
        EXPECT_NE(store->describe(hit.chunk_id)->key, "d0");
    SearchFilter one_each;
    one_each.max_per_document = 1;
    EXPECT_EQ(find(*store, space, keys[3], 50, one_each).size(), 7u);
}

TEST_F(StoreTest, stale_or_damaged_index_file_is_not_believed) {
    Numbers numbers(16);
    StoreOptions o = options();
    const Flush flush = make_document(numbers, 1200);
    {
        auto store = Store::open(path_, o);
        auto space = store->open_space("o", "c", true);
        add(*space, "a", flush);
        find(*store, space, flush.chunks[0].key, 1);
    }
    const std::string file = path_ + "/index/1.idx";
    ASSERT_TRUE(std::filesystem::exists(file));
    std::filesystem::copy_file(file, folder_ + "/old.idx");
    const Flush more = make_document(numbers, 30);
    {
        auto store = Store::open(path_, o);
        auto space = store->open_space("o", "c", false);
        add(*space, "b", more);
        find(*store, space, flush.chunks[0].key, 1);
    }
    std::filesystem::copy_file(folder_ + "/old.idx", file,
                               std::filesystem::copy_options::overwrite_existing);
    {
        auto store = Store::open(path_, o);
        auto space = store->open_space("o", "c", false);
        EXPECT_EQ(find(*store, space, more.chunks[0].key, 3000).size(), 1230u);
        space->delete_document("a");
    }
    std::filesystem::copy_file(folder_ + "/old.idx", file,
                               std::filesystem::copy_options::overwrite_existing);
    auto store = Store::open(path_, o);
    auto space = store->open_space("o", "c", false);
    EXPECT_EQ(find(*store, space, more.chunks[0].key, 3000).size(), 30u);
}

TEST_F(StoreTest, readers_elsewhere_see_commits_and_refuse_to_write) {
    Numbers numbers(17);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    const Flush first = make_document(numbers, 3), second = make_document(numbers, 2);
    add(*space, "a", first);
    auto reader = open_reader();
    auto view = reader->open_space("o", "c", false);
    EXPECT_EQ(find(*reader, view, first.chunks[0].key, 9).size(), 3u);
    add(*space, "b", second);
    EXPECT_EQ(find(*reader, view, first.chunks[0].key, 9).size(), 5u);
    add(*space, "a", second, true);
    EXPECT_EQ(find(*reader, view, first.chunks[0].key, 9).size(), 4u);
    space->delete_document("b");
    EXPECT_EQ(find(*reader, view, first.chunks[0].key, 9).size(), 2u);
    EXPECT_EQ(status_of([&] { view->begin_document(spec_of("x")); }), Status::kReadOnly);
    EXPECT_EQ(status_of([&] { view->delete_document("a"); }), Status::kReadOnly);
    EXPECT_EQ(status_of([&] { reader->open_space("new", "c", true); }), Status::kReadOnly);
    EXPECT_EQ(status_of([&] { reader->rebuild_index(); }), Status::kReadOnly);
    store->drop_space("o", "c");
    EXPECT_EQ(status_of([&] { find(*reader, view, first.chunks[0].key, 9); }), Status::kNotFound);
}

TEST_F(StoreTest, threads_write_search_and_delete_together) {
    auto store = open();
    auto space = store->open_space("o", "c", true);
    std::atomic<bool> stop{false};
    std::atomic<int> failures{0};
    const auto guarded = [&](auto&& work) {
        return std::thread([&, work] {
            try {
                work();
            } catch (...) {
                ++failures;
            }
        });
    };
    std::vector<std::thread> threads;
    for (int w = 0; w < 2; ++w) {
        threads.push_back(guarded([&, w] {
            Numbers numbers(100 + static_cast<uint64_t>(w));
            for (int i = 0; i < 40; ++i) {
                const std::string key = std::to_string(w).append("/").append(std::to_string(i));
                add(*space, key, make_document(numbers, 1 + numbers.below(20)));
                if (i % 3 == 0) space->delete_document(key);
            }
        }));
    }
    for (int r = 0; r < 2; ++r) {
        threads.push_back(guarded([&, r] {
            Numbers numbers(200 + static_cast<uint64_t>(r));
            while (!stop) {
                const auto hits = find(*store, space, numbers.vector(kDim), 5);
                store->load_states(hits);
                for (const Hit& hit : hits) store->describe(hit.chunk_id);
            }
        }));
    }
    threads[0].join();
    threads[1].join();
    stop = true;
    threads[2].join();
    threads[3].join();
    EXPECT_EQ(failures, 0);
    const StoreStats stats = store->stats();
    EXPECT_EQ(find(*store, space, std::vector<float>(kDim, 1), 100000).size(), stats.chunks);
    EXPECT_EQ(stats.documents, 2u * 26);
}

TEST_F(StoreTest, figures_add_up) {
    Numbers numbers(18);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    add(*space, "a", make_document(numbers, 50));
    add(*space, "b", make_document(numbers, 20));
    const StoreStats stats = store->stats();
    EXPECT_EQ(stats.format_version, 1u);
    EXPECT_EQ(stats.documents, 2u);
    EXPECT_EQ(stats.chunks, 70u);
    EXPECT_EQ(stats.tokens, 70u * kTokens);
    EXPECT_EQ(stats.text_bytes, 700u);
    EXPECT_EQ(stats.state_bytes_raw, 70u * kTokens * kDim * 4);
    EXPECT_EQ(stats.key_bytes, 70u * kDim * 2);
    EXPECT_GT(stats.state_bytes_disk, 0u);
    EXPECT_LT(stats.text_bytes_disk, stats.text_bytes);
    EXPECT_GT(stats.disk_bytes, stats.state_bytes_disk + stats.key_bytes);
    EXPECT_EQ(stats.model_fingerprint, test_model().fingerprint);
    space->delete_document("a");
    EXPECT_GT(store->stats().generation, stats.generation);
    EXPECT_EQ(store->stats().chunks, 20u);
}

}  // namespace rpt::storage
