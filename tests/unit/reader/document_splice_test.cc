// Changes in the middle of a document: what they leave, what they cost, what they refuse.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "tests/unit/reader/writer_fixture.h"

namespace rpt::reader {

class DocumentSpliceTest : public WriterFixture {
  protected:
    void write(const std::string& key, const std::string& text) {
        auto doc = writer(key);
        doc->append(text);
        doc->finish();
    }
    void expect_no_damage() {
        store_->check(storage::CheckLevel::kFull, [](const storage::Finding& finding) {
            EXPECT_NE(finding.severity, storage::Finding::Severity::kDamage) << finding.text;
        });
    }
};

namespace {

std::string spliced(std::string text, ByteSpan where, std::string_view bytes) {
    return text.replace(where.begin, where.size(), bytes);
}

}  // namespace

TEST_F(DocumentSpliceTest, spliced_document_equals_the_text_read_from_the_start) {
    const std::string text = sentences(20);
    const uint64_t n = text.size(), middle = text.find("the reader", n / 2);
    const struct {
        ByteSpan where;
        std::string bytes;
    } table[] = {
        {{0, 0}, "x"},
        {{0, 10}, ""},
        {{middle, middle}, "and another one\n"},
        {{middle, middle + 10}, "THE WRITER"},
        {{middle, middle + 300}, ""},
        {{n, n}, " more"},
        {{n - 5, n}, ""},
        {{0, n}, ""},
        {{0, n}, sentences(7, 100)},
        {{middle, n}, ""},
        {{0, middle}, ""},
        {{middle, middle}, ""},
        {{middle, middle}, std::string(2000, 'z')},
    };
    for (const auto& row : table) {
        for (const bool finished : {false, true}) {
            auto doc = writer();
            doc->append(text);
            if (finished) {
                doc->finish();
                doc.reset();
                doc = resumed();
            }
            const SpliceResult result = doc->splice(row.where, row.bytes);
            const std::string want = spliced(text, row.where, row.bytes);
            EXPECT_LE(result.bytes.begin, row.where.begin);
            EXPECT_GE(result.bytes.end, row.where.begin + row.bytes.size());
            EXPECT_LE(result.bytes.end, want.size());
            EXPECT_EQ(doc->bytes_accepted(), want.size());
            const storage::DocumentInfo info = doc->finish();
            EXPECT_TRUE(info.finished);
            EXPECT_EQ(fakes::difference(document(), fresh(want)), "")
                << row.where.begin << " to " << row.where.end << " by " << row.bytes.size();
        }
    }
}

TEST_F(DocumentSpliceTest, splice_is_durable_and_the_document_unfinished_until_finish) {
    write("doc", sentences(9));
    const uint64_t revision = document().info.revision;
    auto doc = resumed();
    doc->splice({0, 3}, "one");
    EXPECT_FALSE(document().info.finished);
    EXPECT_EQ(document().text, spliced(sentences(9), {0, 3}, "one"));
    doc.reset();
    resumed()->finish();
    EXPECT_GT(document().info.revision, revision);
    EXPECT_EQ(fakes::difference(document(), fresh(spliced(sentences(9), {0, 3}, "one"))), "");
}

TEST_F(DocumentSpliceTest, spliced_text_goes_on) {
    auto doc = writer();
    doc->append(sentences(9));
    doc->splice({50, 60}, "");
    doc->append(sentences(3, 50));
    doc->flush(true);
    doc->splice({0, 0}, "begin ");
    doc->append("end");
    doc->finish();
    const std::string want =
        "begin " + spliced(sentences(9), {50, 60}, "") + sentences(3, 50) + "end";
    EXPECT_EQ(fakes::difference(document(), fresh(want)), "");
}

TEST_F(DocumentSpliceTest, empty_document_can_be_spliced) {
    auto doc = writer();
    doc->splice({0, 0}, "");
    doc->splice({0, 0}, "the chunk");
    doc->splice({0, 9}, "");
    doc->splice({0, 0}, "gr\xC3\xBC\xC3\x9F");
    doc->append("e");
    doc->finish();
    EXPECT_EQ(fakes::difference(document(), fresh("gr\xC3\xBC\xC3\x9F"
                                                  "e")),
              "");
}

TEST_F(DocumentSpliceTest, replacement_is_seen_when_it_is_finished) {
    write("doc", "old");
    auto doc = writer();
    doc->append(sentences(9));
    doc->splice({0, 3}, "one");
    EXPECT_EQ(document().text, "old");
    doc->finish();
    EXPECT_EQ(document().text, spliced(sentences(9), {0, 3}, "one"));
}

TEST_F(DocumentSpliceTest, cost_does_not_depend_on_the_length_of_the_document) {
    // Segments that a change of one place can touch, whole; tokens are bytes at most.
    const uint64_t bound = 5 * 200 + 2 * (24 + 32);
    for (const int n : {30, 120, 480}) {
        const std::string text = sentences(n);
        write("doc", text);
        for (int i = 0; i <= 8; ++i) {
            uint64_t at = text.size() * uint64_t(i) / 8;
            while (at < text.size() && text[at] != ' ') ++at;
            for (const std::string& bytes : {std::string("new words"), std::string()}) {
                auto doc = resumed();
                const uint64_t before = engine_->tokens_encoded;
                const uint64_t gone = bytes.empty() && at < text.size() ? 1 : 0;
                const ByteSpan where{at, at + gone};
                const SpliceResult result = doc->splice(where, bytes);
                EXPECT_LE(result.tokens, bound) << n << " at " << at;
                EXPECT_LE(result.bytes.size(), bound) << n << " at " << at;
                doc->finish();
                // With the unfinished end, which is encoded on the way.
                EXPECT_LE(engine_->tokens_encoded - before, 2 * bound) << n << " at " << at;
                doc.reset();
                doc = resumed();
                doc->splice({where.begin, where.begin + bytes.size()},
                            text.substr(where.begin, where.size()));
                doc->finish();
            }
        }
        EXPECT_EQ(document().text, text);
    }
}

TEST_F(DocumentSpliceTest, cost_does_not_depend_on_the_length_of_a_periodic_text) {
    // One period more shifts every forced border; the segments are few different ones all the same.
    for (const std::string& period : {std::string("a"), std::string("ab"), std::string("abc")}) {
        for (const size_t n : {20, 80}) {
            std::string text;
            while (text.size() < n * 200) text += period;
            write("doc", text);
            auto doc = resumed();
            EXPECT_LE(doc->splice({0, 0}, "b").tokens, 10 * 200u) << period << " " << n;
            doc->finish();
            EXPECT_EQ(fakes::difference(document(), fresh("b" + text)), "");
        }
    }
}

TEST_F(DocumentSpliceTest, known_segments_cost_nothing) {
    const std::string text = sentences(20);
    write("doc", text);
    write("other", spliced(text, {500, 500}, "and more\n"));
    auto doc = resumed();
    EXPECT_EQ(doc->splice({500, 500}, "and more\n").tokens, 0u);
    doc->finish();
    EXPECT_EQ(fakes::difference(document(), document("other")), "");
}

TEST_F(DocumentSpliceTest, segment_lost_before_its_commit_is_encoded_after_all) {
    const std::string text = sentences(7);  // fewer segments than a deletion takes at once
    write("other", text);
    auto doc = writer();
    doc->append(spliced(text, {300, 300}, "and more\n"));
    doc->flush(false);
    int commits = 0;
    store_->before_commit = [&] {
        // The first is the flush before the splice, if there is any.
        ++commits;
        if (space_->find_document("other")) space_->delete_document("other");
    };
    EXPECT_EQ(doc->splice({300, 309}, "").tokens, 0u);  // as it was planned
    store_->before_commit = {};
    EXPECT_GE(commits, 1);
    EXPECT_FALSE(space_->find_document("other"));
    doc->finish();
    EXPECT_EQ(fakes::difference(document(), fresh(text)), "");
}

TEST_F(DocumentSpliceTest, memory_of_a_splice_is_bound_by_the_size_of_a_commit) {
    const std::string text = sentences(30), other = sentences(30, 1000);
    write("doc", text);
    store_->commit_bytes = 2000;
    auto doc = resumed();
    doc->flush(false);
    store_->most_values = 0;
    int commits = 0;
    store_->before_commit = [&] {
        ++commits;
        EXPECT_EQ(document().text, text) << "readers see the old text until all is there";
    };
    doc->splice({0, text.size()}, other);
    store_->before_commit = {};
    EXPECT_GT(commits, 5);
    // One commit and the segment that fills it, in tokens of one byte.
    EXPECT_LE(store_->most_values, (2000 + 200) * uint64_t(engine_->config().dim));
    EXPECT_EQ(document().text, other);
    doc->finish();
    EXPECT_EQ(fakes::difference(document(), fresh(other)), "");
}

TEST_F(DocumentSpliceTest, staged_segments_outlive_what_erases_unused_ones) {
    const std::string text = sentences(30), other = sentences(30, 1000);
    write("doc", text);
    write("short", sentences(3, 500));
    store_->commit_bytes = 2000;
    auto doc = resumed();
    store_->before_commit = [&] {
        if (space_->find_document("short")) space_->delete_document("short");
        store_->compact();
    };
    doc->splice({0, text.size()}, other);
    store_->before_commit = {};
    doc->finish();
    EXPECT_EQ(fakes::difference(document(), fresh(other)), "");
    expect_no_damage();
}

TEST_F(DocumentSpliceTest, staged_segments_of_a_splice_that_failed_are_used_again_or_go) {
    const std::string text = sentences(30), other = sentences(30, 1000);
    write("doc", text);
    const uint64_t chunks = store_->stats().chunks;
    store_->commit_bytes = 2000;
    for (const bool again : {true, false}) {
        auto doc = resumed();
        doc->flush(false);
        store_->commits_to_failure = 4;
        EXPECT_EQ(status_of([&] { doc->splice({0, text.size()}, other); }), Status::kNoSpace);
        store_->commits_to_failure = 0;
        EXPECT_EQ(document().text, text);
        expect_no_damage();
        if (again) {
            const uint64_t whole = fresh(other).info.tokens;
            EXPECT_LT(doc->splice({0, text.size()}, other).tokens, whole);
            doc->splice({0, other.size()}, text);
        }
        doc->finish();
    }
    for (int i = 0; i < 20; ++i) write("pad", sentences(1, i));  // each erases some unused ones
    store_->open_space("o", "c", true)->delete_document("pad");
    store_->compact();
    EXPECT_EQ(fakes::difference(document(), fresh(text)), "");
    store_->drop_space("fresh 0", "c");
    store_->drop_space("fresh 1", "c");
    store_->compact();
    EXPECT_EQ(store_->stats().chunks, chunks);
}

TEST_F(DocumentSpliceTest, replacement_that_is_not_finished_is_spliced_in_stages) {
    const std::string text = sentences(30), other = sentences(30, 1000);
    write("doc", "old");
    store_->commit_bytes = 2000;
    auto doc = writer();
    doc->append(text);
    doc->splice({0, text.size()}, other);
    EXPECT_EQ(document().text, "old");
    doc->finish();
    EXPECT_EQ(fakes::difference(document(), fresh(other)), "");
}

TEST_F(DocumentSpliceTest, segments_are_found_by_number_after_edits_as_they_are_listed) {
    std::string text = sentences(300);
    write("doc", text);
    for (const uint64_t at :
         {uint64_t(0), uint64_t(text.size() / 2), uint64_t(text.size() - 100)}) {
        const uint64_t place = text.find("the reader", at == 0 ? 0 : at - 400);
        auto doc = resumed();
        doc->splice({place, place}, sentences(9, int(1000 + at % 1000)));
        doc->finish();
        const std::vector<storage::SegmentInfo> listed = space_->list_segments("doc");
        ASSERT_GT(listed.size(), 100u);
        for (uint64_t i = 0; i < listed.size(); ++i) {
            const auto found = space_->segment_at("doc", i);
            ASSERT_TRUE(found) << i;
            EXPECT_EQ(found->id, listed[i].id);
            EXPECT_EQ(found->bytes.begin, listed[i].bytes.begin);
            EXPECT_EQ(found->bytes.end, listed[i].bytes.end);
            EXPECT_EQ(found->chunks, listed[i].chunks);
            EXPECT_EQ(found->identity, listed[i].identity);
        }
        EXPECT_FALSE(space_->segment_at("doc", listed.size()));
    }
    EXPECT_EQ(status_of([&] { space_->segment_at("none", 0); }), Status::kNotFound);
}

// Also its last segment, which a flush would open again.
TEST_F(DocumentSpliceTest, splice_that_fails_leaves_a_finished_document_finished) {
    const std::string text = sentences(30);
    write("doc", text);
    const auto before = document();
    {
        auto doc = resumed();
        const uint64_t inside = text.find("\xC3\xBC") + 1;
        EXPECT_EQ(status_of([&] { doc->splice({inside, inside}, "x"); }), Status::kArgument);
        EXPECT_EQ(status_of([&] { doc->splice({0, 1}, "\xFF"); }), Status::kUtf8);
        store_->commits_to_failure = 1;
        EXPECT_EQ(status_of([&] { doc->splice({0, 1}, "x"); }), Status::kNoSpace);
        store_->commits_to_failure = 0;
    }
    EXPECT_TRUE(document().info.finished);
    EXPECT_EQ(fakes::difference(document(), before), "");
    auto doc = resumed();
    doc->splice({0, 1}, "x");
    doc->finish();
    EXPECT_EQ(fakes::difference(document(), fresh(spliced(text, {0, 1}, "x"))), "");
}

TEST_F(DocumentSpliceTest, refuses_bad_places_and_bytes_and_changes_nothing) {
    const std::string text = sentences(9);
    const uint64_t n = text.size();
    const uint64_t inside = text.find("\xC3\xBC") + 1, last = text.rfind("\xE6\x97\xA5") + 2;
    auto doc = writer();
    doc->append(text);
    for (const ByteSpan where :
         {ByteSpan{2, 1}, ByteSpan{0, n + 1}, ByteSpan{n + 1, n + 1}, ByteSpan{inside, inside},
          ByteSpan{inside - 1, inside}, ByteSpan{inside, inside + 1}, ByteSpan{last, last},
          ByteSpan{0, last}, ByteSpan{last, n}})
        EXPECT_EQ(status_of([&] { doc->splice(where, "x"); }), Status::kArgument)
            << where.begin << " to " << where.end;
    for (const std::string& bytes : {std::string("ab\xFF"), std::string("ab\xC3")}) {
        try {
            doc->splice({5, 6}, bytes);
            FAIL();
        } catch (const Error& error) {
            EXPECT_EQ(error.status(), Status::kUtf8);
            EXPECT_EQ(error.offset(), 2);
        }
    }
    doc->append("\xC3");
    EXPECT_EQ(status_of([&] { doc->splice({0, 1}, "x"); }), Status::kArgument);
    doc->append("\xBC");
    doc->finish();
    EXPECT_EQ(fakes::difference(document(), fresh(text + "\xC3\xBC")), "");
    auto secret = writer("secret", Mode::kRefuse, true);
    secret->append(text);
    EXPECT_EQ(status_of([&] { secret->splice({0, 1}, "x"); }), Status::kUnsupported);
}

TEST_F(DocumentSpliceTest, cancelled_splice_changes_nothing) {
    const std::string text = sentences(9);
    write("doc", text);
    auto doc = resumed();
    const std::atomic<bool> cancelled = true;
    EXPECT_EQ(status_of([&] {
                  doc->splice({0, 3}, "one", CallControl(&cancelled, 0));
              }),
              Status::kCancelled);
    doc->finish();
    EXPECT_EQ(fakes::difference(document(), fresh(text)), "");
}

// Every call of the engine or of the store fails once; what failed is asked for again.
TEST_F(DocumentSpliceTest, every_failure_leaves_a_writer_that_goes_on) {
    const std::string text = sentences(6), more = sentences(2, 40);
    std::string want = spliced(text, {100, 130}, "other words") + more;
    want = "at first " + want;
    want = spliced(want, {200, 210}, "");
    const fakes::StoredDocument wanted = fresh(want);
    struct Plan {
        int* counter;
        uint64_t commit_bytes;
        std::string collection;
    };
    for (const Plan& plan : {Plan{&engine_->calls_to_failure, 0, "engine"},
                             Plan{&store_->commits_to_failure, 0, "store"},
                             Plan{&store_->commits_to_failure, 300, "store, small commits"}}) {
        int* const counter = plan.counter;
        store_->commit_bytes = plan.commit_bytes;
        for (int n = 1;; ++n) {
            space_ = store_->open_space("round " + std::to_string(n), plan.collection, true);
            std::unique_ptr<DocumentWriter> doc = writer();
            *counter = n;
            bool failed = false;
            const auto insist = [&](const std::function<void()>& call) {
                const Status status = status_of(call);
                if (status == Status::kOk) return;
                EXPECT_TRUE(status == Status::kDevice || status == Status::kNoSpace);
                failed = true;
                *counter = 0;
                call();
            };
            // A failed append has taken its bytes.
            const auto append = [&](const std::string& bytes) {
                if (status_of([&] { doc->append(bytes); }) == Status::kOk) return;
                failed = true;
                *counter = 0;
            };
            append(text.substr(0, 300));
            insist([&] { doc->flush(true); });
            append(text.substr(300));
            insist([&] { doc->splice({100, 130}, "other words"); });
            append(more);
            insist([&] { doc->flush(false); });
            insist([&] { doc->finish(); });
            doc.reset();
            doc = resumed();
            insist([&] { doc->splice({0, 0}, "at first "); });
            insist([&] { doc->splice({200, 210}, ""); });
            insist([&] { doc->finish(); });
            *counter = 0;
            ASSERT_EQ(fakes::difference(document(), wanted), "") << n;
            if (!failed) break;
        }
    }
}

}  // namespace rpt::reader
