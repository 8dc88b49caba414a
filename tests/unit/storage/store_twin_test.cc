// A store beside a slow and plain model of it, driven by the same random operations.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/segment_table.h"
#include "storage/sqlite/sqlite_connection.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

// Documents are lists of segments, and all else follows from them.
struct PlainDocument {
    std::vector<SegmentRecord> segments;
    bool finished = false;
    uint64_t revision = 1;
    Digest content_hash{};

    std::string text() const {
        std::string text;
        for (const SegmentRecord& segment : segments) text += segment.text;
        return text;
    }
    std::vector<ChunkRecord> chunks() const {
        std::vector<ChunkRecord> chunks;
        uint64_t begin = 0;
        for (const SegmentRecord& segment : segments) {
            for (ChunkRecord chunk : segment.chunks) {
                chunk.bytes = {begin + chunk.bytes.begin, begin + chunk.bytes.end};
                chunks.push_back(std::move(chunk));
            }
            begin += segment.text.size();
        }
        return chunks;
    }
};
using PlainSpace = std::map<std::string, PlainDocument>;

float score_of(const std::vector<float>& key, const std::vector<float>& query) {
    double sum = 0;
    for (size_t i = 0; i < key.size(); ++i) sum += double(from_half(to_half(key[i]))) * query[i];
    return static_cast<float>(sum / std::sqrt(double(kDim)));
}

// Every chunk that a search can find, once: those of equal segments are one, open ones are alone.
std::vector<float> plain_scores(const PlainSpace& space, const std::vector<float>& query,
                                const std::string& exclude) {
    std::vector<float> scores;
    std::set<Digest> seen;
    for (const auto& [key, document] : space) {
        if (key == exclude) continue;
        for (const SegmentRecord& segment : document.segments) {
            if (segment.identity != Digest{} && !seen.insert(segment.identity).second) continue;
            for (const ChunkRecord& chunk : segment.chunks)
                scores.push_back(score_of(chunk.key, query));
        }
    }
    std::ranges::sort(scores, std::greater<>());
    return scores;
}

class TwinRun {
  public:
    TwinRun(std::string path, StoreOptions options, uint64_t seed)
        : path_(std::move(path)), options_(std::move(options)), numbers_(seed) {
        store_ = Store::open(path_, options_);
        // Segments that many documents may hold.
        for (int i = 0; i < 12; ++i) pool_.push_back(make_segment(numbers_, 1 + numbers_.below(4)));
    }

    void step() {
        const uint32_t dice = numbers_.below(100);
        if (dice < 55) {
            edit_document();
        } else if (dice < 70) {
            replace_document();
        } else if (dice < 88) {
            delete_document();
        } else if (dice < 93) {
            drop_space();
        } else {
            reopen();
        }
    }

    void compare() {
        for (const auto& [name, plain] : spaces_) compare_space(name, plain);
        compare_figures();
    }
    void finish() {
        reopen();
        compare();
        store_->close();
    }

  private:
    std::string space_name() { return std::string(1, static_cast<char>('a' + numbers_.below(3))); }
    std::string document_name() { return std::to_string(numbers_.below(7)); }
    std::shared_ptr<Space> space(const std::string& name) {
        spaces_[name];
        return store_->open_space("o", name, true);
    }

    SegmentRecord closed_segment() {
        if (numbers_.below(3) > 0) return pool_[numbers_.below(uint32_t(pool_.size()))];
        return make_segment(numbers_, 1 + numbers_.below(5));
    }
    // An open segment that begins as `old` does, if there is one.
    SegmentRecord open_segment(const SegmentRecord* old) {
        SegmentRecord fresh = make_segment(numbers_, 1 + numbers_.below(4), true);
        if (old != nullptr && numbers_.below(4) > 0) {
            size_t kept = 0;
            while (kept < old->chunks.size() && !old->chunks[kept].provisional) ++kept;
            kept = numbers_.below(3) > 0 ? kept : numbers_.below(uint32_t(kept + 1));
            std::vector<ChunkRecord> chunks(old->chunks.begin(),
                                            old->chunks.begin() + ptrdiff_t(kept));
            for (ChunkRecord& chunk : fresh.chunks) {
                chunk.bytes = {chunks.size() * kChunkBytes, (chunks.size() + 1) * kChunkBytes};
                chunks.push_back(chunk);
            }
            fresh.chunks = std::move(chunks);
        }
        if (numbers_.below(2) == 0) fresh.chunks.back().provisional = true;
        fresh.text = text_of(fresh.chunks);
        return fresh;
    }

    // May leave an open segment in the middle, which no reader of texts does and the store allows.
    Edit random_edit(const PlainDocument& document) {
        Edit edit;
        const auto size = uint32_t(document.segments.size());
        const bool ends_open = size > 0 && document.segments.back().identity == Digest{};
        if (ends_open && numbers_.below(2) == 0) {
            edit.first = size - 1;
            edit.n_old = 1;
        } else {
            edit.first = numbers_.below(size + 1);
            edit.n_old = numbers_.below(std::min(size - uint32_t(edit.first), 3u) + 1);
        }
        const SegmentRecord* old =
            edit.n_old == 1 && document.segments[edit.first].identity == Digest{}
                ? &document.segments[edit.first]
                : nullptr;
        for (uint32_t n = numbers_.below(4); n > 0; --n) edit.segments.push_back(closed_segment());
        if (edit.first + edit.n_old == size && numbers_.below(2) == 0)
            edit.segments.push_back(open_segment(edit.segments.empty() ? old : nullptr));
        // An open segment that ends: what it was goes on under an identity.
        if (old != nullptr && numbers_.below(3) == 0) {
            SegmentRecord ended = open_segment(old);
            ended.chunks.back().provisional = false;
            ended.identity = identity_of(ended.text);
            if (edit.segments.empty()) edit.segments.emplace_back();
            edit.segments.front() = std::move(ended);
        }
        return edit;
    }

    // Gives what the space has by name now and then, and in full where it was lost.
    void commit(DocumentWriter& writer, Space& space, Edit edit, PlainDocument& document) {
        Edit sent = edit;
        for (SegmentRecord& segment : sent.segments)
            if (segment.identity != Digest{} && numbers_.below(2) == 0 &&
                (space.has_segment(segment.identity) || numbers_.below(4) == 0))
                segment = {segment.identity, {}, {}, true};
        while (const auto lost = writer.commit(sent)) {
            ASSERT_LT(*lost, sent.segments.size());
            ASSERT_TRUE(sent.segments[*lost].known);
            sent.segments[*lost] = edit.segments[*lost];
        }
        if (document.finished) {
            document.finished = false;
            document.content_hash = {};
            ++document.revision;
        }
        const auto at = document.segments.begin() + ptrdiff_t(edit.first);
        document.segments.insert(document.segments.erase(at, at + ptrdiff_t(edit.n_old)),
                                 edit.segments.begin(), edit.segments.end());
        document.finished = edit.finish;
        document.content_hash = edit.content_hash;
    }
    void maybe_finish(Edit& edit, bool always = false) {
        if (!always && numbers_.below(3) != 0) return;
        edit.finish = true;
        edit.content_hash.fill(uint8_t(1 + numbers_.below(200)));
    }

    void edit_document() {
        const std::string name = space_name(), key = document_name();
        auto handle = space(name);
        auto& documents = spaces_[name];
        const bool there = documents.contains(key);
        auto writer = there ? handle->resume_document(key) : handle->begin_document(spec_of(key));
        for (uint32_t n = 1 + numbers_.below(3); n > 0; --n) {
            Edit edit = random_edit(documents[key]);
            if (n == 1) maybe_finish(edit);
            commit(*writer, *handle, std::move(edit), documents[key]);
        }
    }
    void replace_document() {
        const std::string name = space_name(), key = document_name();
        auto handle = space(name);
        auto& documents = spaces_[name];
        if (!documents.contains(key)) return;
        auto writer = handle->begin_document(spec_of(key, true));
        PlainDocument fresh;
        fresh.revision = documents[key].revision + 1;
        const bool abandoned = numbers_.below(3) == 0;
        for (uint32_t n = 1 + numbers_.below(3); n > 0; --n) {
            Edit edit = random_edit(fresh);
            if (n == 1 && !abandoned) maybe_finish(edit, true);
            commit(*writer, *handle, std::move(edit), fresh);
            if (n == 2) compare_space(name, documents);  // nobody sees it yet
        }
        if (!abandoned) documents[key] = std::move(fresh);
    }
    void delete_document() {
        const std::string name = space_name(), key = document_name();
        auto handle = space(name);
        const bool there = spaces_[name].erase(key) > 0;
        EXPECT_EQ(status_of([&] { handle->delete_document(key); }),
                  there ? Status::kOk : Status::kNotFound);
    }
    void drop_space() {
        const std::string name = space_name();
        if (spaces_.erase(name) > 0) store_->drop_space("o", name);
    }
    void reopen() {
        store_->close();
        store_ = Store::open(path_, options_);
    }

    void compare_space(const std::string& name, const PlainSpace& plain) {
        auto handle = store_->open_space("o", name, false);
        const std::vector<float> query = numbers_.vector(kDim);
        const std::string some = document_name();
        for (const std::string& exclude : {std::string(), some}) {
            SearchFilter filter;
            filter.exact = true;
            filter.exclude_key = exclude;
            const auto hits = store_->search({&handle, 1}, query, 100000, filter);
            const auto scores = plain_scores(plain, query, exclude);
            ASSERT_EQ(hits.size(), scores.size()) << name << " without " << exclude;
            for (size_t i = 0; i < hits.size(); ++i)
                ASSERT_NEAR(hits[i].score, scores[i], 1e-3f) << i;
            if (exclude.empty()) compare_hits(name, plain, hits, query);
        }
        std::vector<std::string> keys;
        handle->list_documents("", [&](const DocumentInfo& info) {
            keys.push_back(info.key);
            return true;
        });
        std::vector<std::string> expected;
        for (const auto& [key, document] : plain) expected.push_back(key);
        ASSERT_EQ(keys, expected);
        for (const auto& [key, document] : plain) compare_document(*handle, key, document);
    }

    // What a hit is told to be must be there in the plain document.
    void compare_hits(const std::string& name, const PlainSpace& plain,
                      const std::vector<Hit>& hits, const std::vector<float>& query) {
        for (size_t i = 0; i < hits.size(); i += 1 + hits.size() / 20) {
            const auto info = store_->describe(hits[i].chunk_id);
            ASSERT_TRUE(info && plain.contains(info->key));
            EXPECT_EQ(info->collection, name);
            const PlainDocument& document = plain.at(info->key);
            const auto chunks = document.chunks();
            ASSERT_LT(info->ordinal, chunks.size());
            const ChunkRecord& chunk = chunks[info->ordinal];
            EXPECT_EQ(info->bytes, chunk.bytes);
            EXPECT_EQ(info->revision, document.revision);
            EXPECT_NEAR(hits[i].score, score_of(chunk.key, query), 1e-3f);
            EXPECT_EQ(store_->read_hit_text(hits[i].chunk_id, false),
                      document.text().substr(chunk.bytes.begin, chunk.bytes.size()));
            const auto states = store_->load_states({&hits[i], 1})[0];
            ASSERT_TRUE(states.chunk);
            EXPECT_EQ(states.chunk->size(), chunk.states.size());
            EXPECT_NEAR((*states.chunk)[0], chunk.states[0], 0.03f);
            const bool has_next = info->ordinal + 1 < chunks.size();
            ASSERT_EQ(states.successor != nullptr, has_next);
            EXPECT_EQ(info->next_bytes, has_next ? chunks[info->ordinal + 1].bytes : ByteSpan{});
            if (has_next) {
                EXPECT_NEAR((*states.successor)[0], chunks[info->ordinal + 1].states[0], 0.03f);
            }
        }
    }

    void compare_document(Space& handle, const std::string& key, const PlainDocument& document) {
        const auto info = handle.find_document(key);
        ASSERT_TRUE(info);
        const std::string text = document.text();
        const auto chunks = document.chunks();
        EXPECT_EQ(info->bytes, text.size());
        EXPECT_EQ(info->chunks, chunks.size());
        uint64_t tokens = 0;
        for (const ChunkRecord& chunk : chunks) tokens += chunk.tokens.size();
        EXPECT_EQ(info->tokens, tokens);
        EXPECT_EQ(info->bytes_searchable, text.size());
        EXPECT_EQ(info->finished, document.finished);
        EXPECT_EQ(info->revision, document.revision);
        EXPECT_EQ(info->content_hash, document.content_hash);
        ASSERT_EQ(handle.read_text(key, 0, SIZE_MAX), text);
        const size_t offset = numbers_.below(uint32_t(text.size() + 1)), size = numbers_.below(99);
        EXPECT_EQ(handle.read_text(key, offset, size), text.substr(offset, size));
        const auto segments = handle.list_segments(key);
        ASSERT_EQ(segments.size(), document.segments.size());
        for (size_t i = 0; i < segments.size(); ++i) {
            EXPECT_EQ(segments[i].identity, document.segments[i].identity);
            EXPECT_EQ(segments[i].bytes.size(), document.segments[i].text.size());
        }
        for (int i = 0; i < 3 && !chunks.empty(); ++i) {
            const auto ordinal = numbers_.below(uint32_t(chunks.size()));
            const auto chunk = handle.read_chunk(key, ordinal);
            ASSERT_TRUE(chunk);
            EXPECT_EQ(chunk->tokens, chunks[ordinal].tokens);
            EXPECT_EQ(chunk->bytes, chunks[ordinal].bytes);
            EXPECT_EQ(chunk->provisional, chunks[ordinal].provisional);
        }
        EXPECT_FALSE(handle.read_chunk(key, chunks.size()));
    }

    // Counters beside sums over the rows, and over the plain documents.
    void compare_figures() {
        const StoreStats stats = store_->stats();
        uint64_t documents = 0, chunks = 0, tokens = 0, bytes = 0;
        for (const auto& [name, plain] : spaces_) {
            documents += plain.size();
            for (const auto& [key, document] : plain) {
                bytes += document.text().size();
                for (const ChunkRecord& chunk : document.chunks()) {
                    ++chunks;
                    tokens += chunk.tokens.size();
                }
            }
        }
        EXPECT_EQ(stats.spaces, spaces_.size());
        EXPECT_EQ(stats.documents, documents);
        EXPECT_EQ(stats.document_chunks, chunks);
        EXPECT_EQ(stats.document_tokens, tokens);
        EXPECT_EQ(stats.text_bytes, bytes);

        Connection connection(path_ + "/store.sqlite", Connection::Access::kReadOnly, "twin");
        const Transaction snapshot(connection, Transaction::Kind::kRead);
        const auto number = [&](const char* sql) {
            return static_cast<uint64_t>(connection.read_number(sql));
        };
        // Nothing is so large here that a commit leaves it to later ones.
        EXPECT_EQ(number("SELECT count(*) FROM segments WHERE standing <> 2"), 0u);
        uint64_t kept_chunks = 0, kept_tokens = 0, kept_segments = 0;
        for (const auto& [name, plain] : spaces_) {
            std::set<Digest> seen;
            for (const auto& [key, document] : plain)
                for (const SegmentRecord& segment : document.segments) {
                    if (segment.identity != Digest{} && !seen.insert(segment.identity).second)
                        continue;
                    ++kept_segments;
                    kept_chunks += segment.chunks.size();
                    for (const ChunkRecord& chunk : segment.chunks)
                        kept_tokens += chunk.tokens.size();
                }
        }
        EXPECT_EQ(number("SELECT count(*) FROM segments"), kept_segments);
        EXPECT_EQ(stats.chunks, kept_chunks);
        EXPECT_EQ(stats.tokens, kept_tokens);
        list_space_rows(connection, [&](const SpaceRow& row) {
            const auto of_space = [&](const char* sql) {
                Query query(connection, sql);
                query.bind(static_cast<int64_t>(row.id));
                query.step();
                return query.count(0);
            };
            EXPECT_EQ(row.chunks, of_space("SELECT count(*) FROM chunks WHERE space_id = ?"));
            EXPECT_EQ(row.tokens,
                      of_space("SELECT ifnull(sum(n_tokens), 0) FROM chunks WHERE space_id = ?"));
            EXPECT_EQ(
                row.text_disk,
                of_space("SELECT ifnull(sum(length(text)), 0) FROM segments WHERE space_id = ?"));
            EXPECT_EQ(
                row.state_disk,
                of_space("SELECT ifnull(sum(length(s.body)), 0) FROM states s JOIN chunks c ON "
                         "c.id = s.chunk_id WHERE c.space_id = ?"));
            EXPECT_EQ(row.state_disk,
                      of_space("SELECT ifnull(sum(state_disk), 0) FROM chunks WHERE space_id = ?"));
            list_document_rows(connection, row.id, "", [&](const DocumentRow& document) {
                EXPECT_NO_THROW(list_places(connection, document.info.id, document.places));
                return true;
            });
            return true;
        });
        for (const char* orphans :
             {"SELECT count(*) FROM places WHERE document_id NOT IN (SELECT id FROM documents)",
              "SELECT count(*) FROM chunks WHERE segment_id NOT IN (SELECT id FROM segments)",
              "SELECT count(*) FROM states WHERE chunk_id NOT IN (SELECT id FROM chunks)",
              "SELECT count(*) FROM segments WHERE n_chunks <> (SELECT count(*) FROM chunks c "
              "WHERE "
              "c.segment_id = segments.id)"})
            EXPECT_EQ(number(orphans), 0u) << orphans;
    }

    const std::string path_;
    const StoreOptions options_;
    Numbers numbers_;
    std::vector<SegmentRecord> pool_;
    std::shared_ptr<Store> store_;
    std::map<std::string, PlainSpace> spaces_;
};

}  // namespace

TEST_F(StoreTest, random_operations_leave_what_the_plain_twin_holds) {
    for (const uint64_t seed : {1, 2, 3}) {
        TwinRun run(path_ + std::to_string(seed), options(), seed);
        for (int i = 0; i < 250; ++i) {
            run.step();
            run.compare();
            if (HasFailure()) FAIL() << "seed " << seed << ", operation " << i;
        }
        run.finish();
        if (HasFailure()) FAIL() << "seed " << seed;
    }
}

TEST_F(StoreTest, random_operations_with_a_graph_leave_what_the_plain_twin_holds) {
    StoreOptions o = options();
    o.flat_limit = 40;
    TwinRun run(path_, o, 11);
    for (int i = 0; i < 150; ++i) {
        run.step();
        run.compare();
        if (HasFailure()) FAIL() << "operation " << i;
    }
    run.finish();
}

}  // namespace rpt::storage
