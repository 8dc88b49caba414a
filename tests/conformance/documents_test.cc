// Documents of one store: what is written, read, replaced and deleted.
#include <algorithm>
#include <atomic>
#include <map>

#include "tests/conformance/conformance.h"

namespace rpt::storage {
namespace {

std::vector<float> rounded(const std::vector<float>& key) {
    std::vector<float> out;
    for (const float v : key) out.push_back(from_half(to_half(v)));
    return out;
}

// `segment_begin`: where the chunk's segment begins in the document.
void expect_same_chunk(const ChunkRecord& got, const ChunkRecord& put, uint64_t segment_begin = 0) {
    EXPECT_EQ(got.bytes,
              (ByteSpan{segment_begin + put.bytes.begin, segment_begin + put.bytes.end}));
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

TEST_P(Conformance, round_trip_keeps_text_chunks_and_facts) {
    Numbers numbers(1);
    const Edit edit = make_document(numbers, 5, 2);
    const std::string text = text_of(edit);
    const std::vector<ChunkRecord> chunks = chunks_of(edit);
    DocumentSpec spec = spec_of("notes/a.md");
    spec.uri = "file:///a";
    spec.meta_json = "{\"x\":1}";
    spec.timestamp_ms = -5;
    {
        auto store = open();
        auto space = store->open_space("me", "notes", true);
        auto writer = space->begin_document(spec);
        EXPECT_EQ(writer->commit(edit), std::nullopt);
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
    for (size_t i = 0; i < chunks.size(); ++i) {
        const auto got = space->read_chunk("notes/a.md", i);
        ASSERT_TRUE(got);
        expect_same_chunk(*got, chunks[i], i / 2 * 20);
    }
    EXPECT_FALSE(space->read_chunk("notes/a.md", 5));
    const auto hits = find(*store, space, chunks[2].key, 1);
    ASSERT_EQ(hits.size(), 1u);
    float dot = 0;
    for (const float v : rounded(chunks[2].key)) dot += v * v;
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

TEST_P(Conformance, text_reads_from_any_offset_after_any_commits) {
    Numbers numbers(2);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    std::string text;
    auto writer = space->begin_document(spec_of("long"));
    for (int i = 0; i < 60; ++i) {
        std::string part(1 + numbers.below(9000), ' ');
        for (char& c : part) c = static_cast<char>(numbers.below(i % 2 ? 256 : 4));
        Edit edit;
        edit.first = static_cast<uint64_t>(i);
        edit.segments.push_back({identity_of(part), part, {}, false});
        text += part;
        edit.finish = i == 59;
        if (edit.finish) edit.content_hash = sha256(text.data(), text.size());
        writer->commit(edit);
    }
    EXPECT_EQ(writer->info().content_hash, sha256(text.data(), text.size()));
    for (int i = 0; i < 200; ++i) {
        const size_t offset = numbers.below(static_cast<uint32_t>(text.size() + 10));
        const size_t size = numbers.below(150000);
        EXPECT_TRUE(space->read_text("long", offset, size) ==
                    text.substr(std::min(offset, text.size()), size));
        EXPECT_TRUE(writer->read_text({offset, offset + size}) ==
                    text.substr(std::min(offset, text.size()), size));
    }
    EXPECT_EQ(space->read_text("long", 0, SIZE_MAX).size(), text.size());
    EXPECT_EQ(space->read_text("long", text.size(), 5), "");
}

TEST_P(Conformance, order_of_commits_does_not_change_what_is_found) {
    Numbers numbers(3);
    std::map<std::string, Edit> documents;
    for (int i = 0; i < 8; ++i) documents[document_key(i)] = make_document(numbers, 6, 1);
    const std::vector<float> query = numbers.vector(kDim);
    std::vector<std::tuple<std::string, uint64_t, float>> expected;
    auto store = open();
    for (int round = 0; round < 4; ++round) {
        auto space = store->open_space("o", std::to_string(round), true);
        // segment by segment, a random writer each time
        std::map<std::string, std::unique_ptr<DocumentWriter>> writers;
        std::map<std::string, size_t> done;
        for (auto& [key, edit] : documents) writers[key] = space->begin_document(spec_of(key));
        while (!writers.empty()) {
            auto at =
                std::next(writers.begin(), numbers.below(static_cast<uint32_t>(writers.size())));
            const Edit& whole = documents[at->first];
            const size_t i = done[at->first]++;
            Edit part = part_of(whole, i, 1);
            part.finish = i + 1 == whole.segments.size();
            part.content_hash = whole.content_hash;
            at->second->commit(part);
            if (part.finish) writers.erase(at);
        }
        const auto got = told(*store, find(*store, space, query, 20));
        if (round == 0) expected = got;
        EXPECT_EQ(got, expected);
        EXPECT_EQ(space->find_document("d3")->content_hash, documents["d3"].content_hash);
    }
}

TEST_P(Conformance, deleting_equals_never_having_inserted) {
    Numbers numbers(4);
    auto store = open();
    auto with = store->open_space("o", "with", true),
         without = store->open_space("o", "without", true);
    for (int i = 0; i < 30; ++i) {
        const std::string key = document_key(i);
        const Edit edit = make_document(numbers, 1 + numbers.below(9));
        add(*with, key, edit);
        if (i % 3 != 0) add(*without, key, edit);
        if (i == 15) find(*store, with, chunks_of(edit)[0].key, 1);  // loads the index half way
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

TEST_P(Conformance, deleted_hits_have_no_facts_and_no_states) {
    Numbers numbers(5);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    const Edit edit = make_document(numbers, 3);
    add(*space, "a", edit);
    const auto hits = find(*store, space, chunks_of(edit)[0].key, 1);
    store->load_states(hits);
    space->delete_document("a");
    EXPECT_FALSE(store->describe(hits[0].chunk_id));
    EXPECT_FALSE(store->load_states(hits)[0].chunk);
    EXPECT_EQ(status_of([&] { store->read_hit_text(hits[0].chunk_id, false); }), Status::kNotFound);
    EXPECT_EQ(store->stats().cache_bytes, 0u);
    EXPECT_EQ(store->stats().chunks, 0u);
    add(*space, "a", edit);
    EXPECT_GT(find(*store, space, chunks_of(edit)[0].key, 1)[0].chunk_id,
              hits[0].chunk_id + 1);  // never reused
}

TEST_P(Conformance, replacement_is_invisible_until_it_is_finished) {
    Numbers numbers(6);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    const Edit old = make_document(numbers, 4);
    const Edit fresh = make_document(numbers, 7);
    add(*space, "a", old);
    add(*space, "b", make_document(numbers, 3));
    EXPECT_EQ(status_of([&] { space->begin_document(spec_of("a")); }), Status::kExists);
    const auto before = told(*store, find(*store, space, chunks_of(old)[0].key, 50));
    {
        auto abandoned = space->begin_document(spec_of("a", true));
        EXPECT_EQ(status_of([&] { space->begin_document(spec_of("a", true)); }), Status::kBusy);
        EXPECT_EQ(status_of([&] { space->delete_document("a"); }), Status::kBusy);
        abandoned->commit(unfinished(fresh));
        EXPECT_EQ(told(*store, find(*store, space, chunks_of(old)[0].key, 50)), before);
        EXPECT_EQ(space->find_document("a")->chunks, 4u);
    }
    EXPECT_EQ(told(*store, find(*store, space, chunks_of(old)[0].key, 50)), before);
    auto writer = space->begin_document(spec_of("a", true));
    writer->commit(unfinished(fresh));
    add(*space, "c",
        make_document(numbers, 2));  // newer chunks become visible before the replacement's
    find(*store, space, chunks_of(old)[0].key, 50);
    Edit end;
    end.first = fresh.segments.size();
    end.finish = true;
    end.content_hash = fresh.content_hash;
    writer->commit(end);
    EXPECT_EQ(space->find_document("a")->revision, 2u);
    EXPECT_EQ(space->find_document("a")->chunks, 7u);
    EXPECT_EQ(find(*store, space, chunks_of(old)[0].key, 50).size(), 7u + 3 + 2);
    for (const Hit& hit : find(*store, space, chunks_of(old)[0].key, 50))
        EXPECT_TRUE(store->describe(hit.chunk_id));
    EXPECT_EQ(store->stats().documents, 3u);
    writer.reset();
    store->close();
    store = open();
    space = store->open_space("o", "c", false);
    EXPECT_EQ(find(*store, space, chunks_of(old)[0].key, 50).size(), 7u + 3 + 2);
}

TEST_P(Conformance, provisional_tail_is_superseded_by_the_next_commit) {
    Numbers numbers(7);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    auto writer = space->begin_document(spec_of("a"));
    ChunkRecord tail = make_chunk(numbers, 0, 3);
    tail.provisional = true;
    Edit edit;
    edit.segments.push_back({{}, "0123456789", {tail}, false});
    writer->commit(edit);
    EXPECT_TRUE(space->read_chunk("a", 0)->provisional);
    ASSERT_EQ(find(*store, space, tail.key, 9).size(), 1u);
    const ChunkRecord whole = make_chunk(numbers, 0);
    ChunkRecord next = make_chunk(numbers, 1, 2);
    next.provisional = true;
    edit.n_old = 1;
    edit.segments[0].text = "01234567890123456789";
    edit.segments[0].chunks = {whole, next};
    writer->commit(edit);
    expect_same_chunk(*space->read_chunk("a", 0), whole);
    EXPECT_EQ(writer->info().chunks, 2u);
    EXPECT_EQ(writer->info().tokens, kTokens + 2);
    EXPECT_EQ(find(*store, space, tail.key, 9).size(), 2u);
    edit.segments[0].chunks = {whole};  // whole chunks stay
    writer->commit(edit);
    EXPECT_EQ(find(*store, space, tail.key, 9).size(), 1u);
    EXPECT_EQ(writer->info().bytes, 20u);
    EXPECT_EQ(writer->info().bytes_searchable, 10u);
    EXPECT_EQ(store->stats().tokens, kTokens);
}

TEST_P(Conformance, unfinished_document_keeps_what_was_committed) {
    Numbers numbers(8);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    const Edit edit = unfinished(make_document(numbers, 2));
    space->begin_document(spec_of("a"))->commit(edit);
    space->begin_document(spec_of("never"));
    EXPECT_FALSE(space->find_document("a")->finished);
    EXPECT_FALSE(space->find_document("never"));
    EXPECT_EQ(find(*store, space, chunks_of(edit)[0].key, 9).size(), 2u);
    add(*space, "empty", finish_of({}));
    EXPECT_EQ(space->find_document("empty")->content_hash, sha256("", 0));
    EXPECT_EQ(space->read_text("empty", 0, 10), "");
}

TEST_P(Conformance, discarded_text_keeps_tokens) {
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

TEST_P(Conformance, names_are_checked_at_their_exact_limits) {
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

TEST_P(Conformance, wrong_chunks_are_refused_and_nothing_changes) {
    Numbers numbers(10);
    auto store = open();
    auto space = store->open_space("o", "c", true);
    auto writer = space->begin_document(spec_of("a"));
    const Edit whole = make_document(numbers, 2, 1);
    writer->commit(part_of(whole, 0, 1));
    Edit good = part_of(whole, 1, 1);
    good.finish = true;
    good.content_hash = whole.content_hash;
    const auto tries = [&](auto&& spoil) {
        Edit edit = good;
        spoil(edit, edit.segments[0], edit.segments[0].chunks[0]);
        return status_of([&] { writer->commit(edit); });
    };
    using S = SegmentRecord&;
    using C = ChunkRecord&;
    EXPECT_EQ(tries([](Edit&, S, C c) { c.key.pop_back(); }), Status::kArgument);
    EXPECT_EQ(tries([](Edit&, S, C c) { c.key[3] = NAN; }), Status::kArgument);
    EXPECT_EQ(tries([](Edit&, S, C c) { c.key[3] = 1e6f; }), Status::kArgument);
    EXPECT_EQ(tries([](Edit&, S, C c) { c.states[0] = INFINITY; }), Status::kArgument);
    EXPECT_EQ(tries([](Edit&, S, C c) { c.states.pop_back(); }), Status::kArgument);
    EXPECT_EQ(tries([](Edit&, S, C c) { c.tokens.clear(); }), Status::kArgument);
    EXPECT_EQ(tries([](Edit&, S, C c) { c.bytes = {5, 11}; }), Status::kArgument);
    EXPECT_EQ(tries([](Edit&, S, C c) { c.bytes = {6, 5}; }), Status::kArgument);
    EXPECT_EQ(tries([](Edit&, S s, C) { s.text.clear(); }), Status::kArgument);
    EXPECT_EQ(tries([](Edit&, S s, C) { s.text.resize((1 << 20) + 1, 'x'); }), Status::kArgument);
    EXPECT_EQ(tries([](Edit&, S s, C) { s.known = true, s.identity = {}; }), Status::kArgument);
    EXPECT_EQ(tries([](Edit& e, S, C) { e.first = 2; }), Status::kArgument);
    EXPECT_EQ(tries([](Edit& e, S, C) { e.first = 0, e.n_old = 2; }), Status::kArgument);
    EXPECT_EQ(tries([](Edit& e, S, C) { e.n_old = UINT64_MAX; }), Status::kArgument);
    EXPECT_EQ(writer->info().bytes, 10u);
    EXPECT_EQ(space->find_document("a")->chunks, 1u);
    std::atomic<bool> cancel{true};
    EXPECT_EQ(status_of([&] { writer->commit(good, CallControl(&cancel, 0)); }),
              Status::kCancelled);
    writer->commit(good);  // and may be tried again
    EXPECT_EQ(space->read_text("a", 0, 99), text_of(whole));
}

// Long enough that a store keeps sums over its segments, edited at many places and compared with
// plain lists.
TEST_P(Conformance, long_document_is_found_its_way_in_after_edits_anywhere) {
    auto store = open();
    auto space = store->open_space("o", "c", true);
    Numbers numbers(41);
    std::vector<SegmentRecord> twin;
    auto writer = space->begin_document(spec_of("long"));
    for (int step = 0; step < 40; ++step) {
        const auto n = static_cast<uint32_t>(twin.size());
        Edit edit;
        edit.first = step % 4 == 0 ? n : numbers.below(n + 1);
        edit.n_old = std::min<uint64_t>(n - edit.first, numbers.below(6));
        for (uint32_t i = 0; i < 10 + numbers.below(30); ++i)
            edit.segments.push_back(make_segment(numbers, 1 + numbers.below(2)));
        ASSERT_FALSE(writer->commit(edit));
        const auto at = twin.erase(twin.begin() + static_cast<ptrdiff_t>(edit.first),
                                   twin.begin() + static_cast<ptrdiff_t>(edit.first + edit.n_old));
        twin.insert(at, edit.segments.begin(), edit.segments.end());
    }
    ASSERT_GT(twin.size(), 500u);
    std::string text;
    std::vector<std::pair<uint64_t, const ChunkRecord*>> chunks;  // where their segments begin
    for (const SegmentRecord& segment : twin) {
        for (const ChunkRecord& chunk : segment.chunks) chunks.emplace_back(text.size(), &chunk);
        text += segment.text;
    }
    std::string read;
    while (read.size() < text.size()) read += space->read_text("long", read.size(), 97);
    EXPECT_TRUE(read == text);
    EXPECT_EQ(space->read_text("long", text.size(), 10), "");
    for (uint64_t i = 0; i < chunks.size(); i += 7) {
        const auto& [begin, expected] = chunks[i];
        const auto chunk = space->read_chunk("long", i);
        ASSERT_TRUE(chunk);
        EXPECT_EQ(chunk->tokens, expected->tokens);
        EXPECT_EQ(chunk->bytes.begin, begin + expected->bytes.begin);
    }
    EXPECT_FALSE(space->read_chunk("long", chunks.size()));
    for (const Hit& hit : find(*store, space, numbers.vector(kDim), 60)) {
        const auto info = store->describe(hit.chunk_id);
        ASSERT_TRUE(info);
        ASSERT_LT(info->ordinal, chunks.size());
        EXPECT_EQ(info->bytes.begin,
                  chunks[info->ordinal].first + chunks[info->ordinal].second->bytes.begin);
        if (info->ordinal + 1 < chunks.size()) {
            EXPECT_EQ(info->next_bytes.begin, chunks[info->ordinal + 1].first +
                                                  chunks[info->ordinal + 1].second->bytes.begin);
        }
    }
    size_t damages = 0;
    store->check(CheckLevel::kFull, [&](const Finding& finding) {
        damages += finding.severity == Finding::Severity::kDamage;
    });
    EXPECT_EQ(damages, 0u);
}

}  // namespace rpt::storage
