// Searches by text, against a slow twin that reads every document.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "storage/words/terms.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

constexpr const char* kVocabulary[] = {"sea",     "island", "islands", "voyage", "get_user",
                                       "getUser", "users",  "def get", "storm",  "der Größe",
                                       "the",     "a",      "x",       "東京都", "readAll"};

// A segment of random words, cut into chunks anywhere between its characters.
SegmentRecord make_words(Numbers& numbers, size_t words, bool open = false) {
    SegmentRecord segment;
    for (size_t i = 0; i < words; ++i) {
        segment.text += kVocabulary[numbers.below(std::size(kVocabulary))];
        segment.text += numbers.below(6) == 0 ? "(x):\n" : " ";
    }
    for (size_t begin = 0; begin < segment.text.size();) {
        size_t end = std::min(segment.text.size(), begin + 8 + numbers.below(50));
        while (end < segment.text.size() && (uint8_t(segment.text[end]) & 0xC0) == 0x80) ++end;
        ChunkRecord chunk = make_chunk(numbers, segment.chunks.size());
        chunk.bytes = {begin, end};
        segment.chunks.push_back(chunk);
        begin = end;
    }
    if (!open) segment.identity = identity_of(segment.text);
    return segment;
}

Edit make_words_document(Numbers& numbers, size_t segments) {
    Edit edit;
    for (size_t i = 0; i < segments; ++i) edit.segments.push_back(make_words(numbers, 40));
    return finish_of(std::move(edit));
}

// Where a chunk first stands, so that stores can be compared.
using Place = std::pair<std::string, uint64_t>;

class WordSearch : public StoreTest {
  protected:
    struct Chunk {
        std::map<std::pair<TermKind, std::string>, uint32_t> terms;
        double words = 0;
    };

    // By number: every chunk of the space, its terms counted one by one.
    static std::map<uint64_t, Chunk> read_all(Store& store, const std::shared_ptr<Space>& space) {
        std::map<uint64_t, Chunk> chunks;
        space->list_documents("", [&](const DocumentInfo& info) {
            if (info.text_discarded) return true;
            for (const SegmentInfo& segment : space->list_segments(info.key)) {
                const std::string text =
                    space->read_text(info.key, segment.bytes.begin, segment.bytes.size());
                const std::vector<uint64_t> ids = store.read_segment_tokens(segment.id, 0)->chunks;
                const std::vector<ChunkRecord> records = store.read_segment(segment.id);
                for (size_t i = 0; i < ids.size(); ++i) {
                    Chunk chunk;
                    const ByteSpan bytes = records[i].bytes;
                    for_each_word(text, [&](const Term& term) {
                        if (term.begin >= bytes.end || term.end <= bytes.begin) return;
                        ++chunk.terms[{term.kind, std::string(term.text)}];
                        if (term.kind == TermKind::kWord) ++chunk.words;
                    });
                    for_each_definition(text, [&](const Term& term) {
                        if (term.begin >= bytes.begin && term.begin < bytes.end)
                            ++chunk.terms[{term.kind, std::string(term.text)}];
                    });
                    chunks[ids[i]] = chunk;
                }
            }
            return true;
        });
        return chunks;
    }

    static double count_of(const Chunk& chunk, WordLeg leg, const std::string& text) {
        double count = 0;
        for (const auto& [term, n] : chunk.terms) {
            const auto& [kind, word] = term;
            if (leg == WordLeg::kDefinitions) {
                if (kind == TermKind::kDefinition && word == text) count += n;
            } else if (leg == WordLeg::kWords) {
                if (kind != TermKind::kDefinition && word == text) count += n;
            } else if (kind == TermKind::kWord) {
                for (const std::string_view gram : grams_of(word))
                    if (gram == text) count += n;
            }
        }
        return count;
    }

    static std::map<uint64_t, double> scores_slow(const std::map<uint64_t, Chunk>& chunks,
                                                  const std::string& question, WordLeg leg) {
        std::vector<std::string> wanted;  // with repetitions
        for_each_word(question, [&](const Term& term) {
            if (leg != WordLeg::kGrams) {
                wanted.emplace_back(term.text);
            } else if (term.kind == TermKind::kWord) {
                for (const std::string_view gram : grams_of(term.text)) wanted.emplace_back(gram);
            }
        });
        if (leg == WordLeg::kDefinitions) {
            std::ranges::sort(wanted);
            wanted.erase(std::ranges::unique(wanted).begin(), wanted.end());
        }
        double mean = 0;
        for (const auto& [id, chunk] : chunks) mean += chunk.words / double(chunks.size());
        std::map<uint64_t, double> scores;
        for (const std::string& text : wanted) {
            double holders = 0;
            const WordLeg counted = leg == WordLeg::kDefinitions ? WordLeg::kWords : leg;
            for (const auto& [id, chunk] : chunks) holders += count_of(chunk, counted, text) > 0;
            const double all = double(chunks.size());
            for (const auto& [id, chunk] : chunks) {
                const double tf = count_of(chunk, leg, text);
                if (tf == 0) continue;
                if (leg == WordLeg::kDefinitions) {
                    scores[id] += std::log(1 + all / (1 + holders));
                    continue;
                }
                const double idf = std::log(1 + (all - holders + 0.5) / (holders + 0.5));
                scores[id] += idf * tf * 2.5 / (tf + 1.5 * (0.25 + 0.75 * chunk.words / mean));
            }
        }
        return scores;
    }

    void expect_as_twin(Store& store, const std::shared_ptr<Space>& space, const char* when) {
        const std::map<uint64_t, Chunk> chunks = read_all(store, space);
        for (const WordLeg leg : {WordLeg::kWords, WordLeg::kGrams, WordLeg::kDefinitions}) {
            for (const std::string& question :
                 {std::string("the islands of users"), std::string("getUser"),
                  std::string("GET_USER sea sea x 京都"), std::string("größe, readAll get"),
                  std::string("nowhere")}) {
                std::map<uint64_t, double> expected = scores_slow(chunks, question, leg);
                const std::vector<Hit> hits =
                    store.search_words({&space, 1}, question, leg, chunks.size(), {});
                EXPECT_EQ(hits.size(), expected.size()) << when << ": " << question;
                float before = INFINITY;
                for (const Hit& hit : hits) {
                    EXPECT_NEAR(hit.score, expected[hit.chunk_id], 1e-4)
                        << when << ": " << question;
                    EXPECT_LE(hit.score, before);
                    before = hit.score;
                }
                const std::vector<Hit> few = store.search_words({&space, 1}, question, leg, 3, {});
                for (size_t i = 0; i < few.size(); ++i)
                    EXPECT_EQ(few[i].chunk_id, hits[i].chunk_id);
            }
        }
    }

    static std::vector<std::pair<Place, float>> places(Store& store,
                                                       const std::shared_ptr<Space>& space,
                                                       const std::string& question, WordLeg leg) {
        std::vector<std::pair<Place, float>> out;
        for (const Hit& hit : store.search_words({&space, 1}, question, leg, 1000, {})) {
            const auto info = store.describe(hit.chunk_id);
            out.push_back({{info->key, info->ordinal}, hit.score});
        }
        std::ranges::sort(out);
        return out;
    }
};

TEST_F(WordSearch, equals_the_twin_whatever_happened_before) {
    const auto store = open();
    const auto space = store->open_space("o", "c", true);
    Numbers numbers(5);
    expect_as_twin(*store, space, "empty");
    for (int i = 0; i < 12; ++i)
        add(*space, "d" + std::to_string(i), make_words_document(numbers, 3));
    expect_as_twin(*store, space, "filled");
    for (int i = 0; i < 30; ++i) {
        const std::string key = "d" + std::to_string(numbers.below(14));
        const bool there = space->find_document(key).has_value();
        if (there && numbers.below(3) == 0)
            space->delete_document(key);
        else
            add(*space, key, make_words_document(numbers, 1 + numbers.below(4)), there);
        if (i % 5 == 0) expect_as_twin(*store, space, "changed");
    }
    store->compact();
    expect_as_twin(*store, space, "compacted");
    const auto fresh = open_reader();
    expect_as_twin(*fresh, fresh->open_space("o", "c", false), "read anew");
}

TEST_F(WordSearch, words_of_deleted_texts_leave_the_memory_though_newer_parts_stay) {
    const auto store = open();
    const auto space = store->open_space("o", "c", true);
    const auto ask = [&] { store->search_words({&space, 1}, "sea", WordLeg::kWords, 3, {}); };
    Numbers numbers(11);
    add(*space, "large", make_words_document(numbers, 60));
    ask();
    add(*space, "small", make_words_document(numbers, 6));
    ask();
    const uint64_t before = store->stats().cache_bytes;
    space->delete_document("large");
    ask();
    EXPECT_LT(store->stats().cache_bytes, before / 4);
    expect_as_twin(*store, space, "what is left");
}

TEST_F(WordSearch, open_segments_grow) {
    const auto store = open();
    const auto space = store->open_space("o", "c", true);
    Numbers numbers(6);
    add(*space, "other", make_words_document(numbers, 2));
    const auto writer = space->begin_document(spec_of("d"));
    SegmentRecord open = make_words(numbers, 10, true);
    Edit edit;
    edit.segments = {open};
    writer->commit(edit);
    expect_as_twin(*store, space, "open");
    // it grows within its last word: chunks that stay have other words now
    for (int i = 0; i < 3; ++i) {
        open.text.pop_back();
        open.chunks.back().bytes.end -= 1;
        const size_t before = open.text.size();
        open.text += "land sea ";
        ChunkRecord more = make_chunk(numbers, open.chunks.size());
        more.bytes = {before, open.text.size()};
        open.chunks.push_back(more);
        Edit grown;
        grown.first = 0;
        grown.n_old = 1;
        grown.segments = {open};
        writer->commit(grown);
        expect_as_twin(*store, space, "grown");
    }
}

TEST_F(WordSearch, does_not_depend_on_the_way_to_a_state) {
    Numbers numbers(7);
    std::vector<Edit> documents;
    for (int i = 0; i < 9; ++i) documents.push_back(make_words_document(numbers, 3));
    const auto plain = open();
    const auto here = plain->open_space("o", "c", true);
    for (size_t i = 4; i < documents.size(); ++i) add(*here, "d" + std::to_string(i), documents[i]);

    path_ = folder_ + "/second";
    const auto winding = open();
    const auto there = winding->open_space("o", "c", true);
    for (size_t i = 0; i < documents.size(); ++i) {
        add(*there, "d" + std::to_string(i), documents[i]);
        winding->search_words({&there, 1}, "sea", WordLeg::kWords, 3, {});
    }
    for (size_t i = 0; i < 4; ++i) {
        there->delete_document("d" + std::to_string(i));
        winding->search_words({&there, 1}, "sea", WordLeg::kWords, 3, {});
    }
    for (const WordLeg leg : {WordLeg::kWords, WordLeg::kGrams, WordLeg::kDefinitions})
        EXPECT_EQ(places(*plain, here, "the islands get readAll", leg),
                  places(*winding, there, "the islands get readAll", leg));
}

TEST_F(WordSearch, spaces_count_by_themselves) {
    const auto store = open();
    const auto mine = store->open_space("me", "c", true);
    const auto theirs = store->open_space("you", "c", true);
    Numbers numbers(8);
    add(*mine, "d", make_words_document(numbers, 3));
    const auto before = store->search_words({&mine, 1}, "the sea", WordLeg::kWords, 100, {});
    for (int i = 0; i < 5; ++i)
        add(*theirs, "d" + std::to_string(i), make_words_document(numbers, 4));
    const auto after = store->search_words({&mine, 1}, "the sea", WordLeg::kWords, 100, {});
    ASSERT_EQ(before.size(), after.size());
    for (size_t i = 0; i < before.size(); ++i) {
        EXPECT_EQ(before[i].chunk_id, after[i].chunk_id);
        EXPECT_EQ(before[i].score, after[i].score);
    }
    const std::vector both{mine, theirs};
    const auto all = store->search_words(both, "the sea", WordLeg::kWords, 1000, {});
    std::map<uint64_t, float> of_all;
    for (const Hit& hit : all) of_all[hit.chunk_id] = hit.score;
    for (const Hit& hit : before) EXPECT_EQ(of_all[hit.chunk_id], hit.score);
    EXPECT_GT(all.size(), before.size());
}

TEST_F(WordSearch, filters_and_discarded_texts) {
    const auto store = open();
    const auto space = store->open_space("o", "c", true);
    Numbers numbers(9);
    add(*space, "a", make_words_document(numbers, 3));
    add(*space, "b", make_words_document(numbers, 3));
    DocumentSpec spec = spec_of("dark");
    spec.discard_text = true;
    space->begin_document(spec)->commit(make_words_document(numbers, 3));
    expect_as_twin(*store, space, "with a discarded text");
    SearchFilter filter;
    filter.exclude_key = "a";
    std::set<std::string> keys;
    for (const Hit& hit : store->search_words({&space, 1}, "the", WordLeg::kWords, 100, filter))
        keys.insert(store->describe(hit.chunk_id)->key);
    EXPECT_EQ(keys, std::set<std::string>{"b"});
    filter = {};
    filter.max_per_document = 2;
    std::map<std::string, int> taken;
    for (const Hit& hit : store->search_words({&space, 1}, "the", WordLeg::kWords, 100, filter))
        ++taken[store->describe(hit.chunk_id)->key];
    EXPECT_EQ(taken, (std::map<std::string, int>{{"a", 2}, {"b", 2}}));
}

TEST_F(WordSearch, refuses_what_a_search_refuses) {
    const auto store = open();
    const auto space = store->open_space("o", "c", true);
    EXPECT_EQ(status_of([&] { store->search_words({}, "x", WordLeg::kWords, 1, {}); }),
              Status::kArgument);
    path_ = folder_ + "/second";
    const auto other = open();
    EXPECT_EQ(status_of([&] {
                  other->search_words({&space, 1}, "x", WordLeg::kWords, 1, {});
              }),
              Status::kArgument);
}

}  // namespace
}  // namespace rpt::storage
