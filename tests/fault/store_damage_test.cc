// Bad bytes in a store: damage, foreign files, other versions. Every case ends in a status; none in
// an abort or in a wrong answer.
#include <fcntl.h>

#include "tests/fault/store_fault.h"

namespace rpt::storage {

TEST_F(StoreFault, flipped_bytes_are_found_or_do_not_matter) {
    fill();
    const std::string good = everything();
    const std::string bytes = read_bytes(database());
    Numbers numbers(5);
    size_t found = 0;
    for (int i = 0; i < 400; ++i) {
        std::string bad = bytes;
        const size_t at = i < 100 ? size_t(i) : numbers.next() % bytes.size();
        bad[at] = static_cast<char>(bad[at] ^ (1u << numbers.below(8)));
        write_bytes(database(), bad);
        std::filesystem::remove_all(path_ + "/index");
        std::string text;
        std::string got;
        const Status status = status_of([&] { got = everything(); }, &text);
        if (status == Status::kOk) {
            // A lost index entry can hide a row from a listing; what is told is never a wrong byte.
            EXPECT_TRUE(got == good) << "byte " << at << " changed the answer unseen";
        } else {
            ++found;
            EXPECT_TRUE(status == Status::kCorrupt || status == Status::kNotFound ||
                        status == Status::kVersion || status == Status::kModelMismatch ||
                        status == Status::kIo)
                << "byte " << at << ": " << text;
            EXPECT_EQ(text.find('\n'), std::string::npos);
        }
    }
    EXPECT_GT(found, 40u);  // many bytes of a page are free space
    write_bytes(database(), bytes);
    EXPECT_TRUE(everything() == good);
}

TEST_F(StoreFault, damaged_rows_are_corrupt_and_named) {
    fill(2, 6);  // "1" holds the segments 3 and 4, of chunks 7 to 10 and 11 to 12
    const std::string bytes = read_bytes(database());
    using Work = std::function<void(Store&, const std::shared_ptr<Space>&)>;
    const auto with = [&](const std::string& sql, const std::string& name, const Work& work) {
        write_bytes(database(), bytes);
        std::filesystem::remove_all(path_ + "/index");
        run_sql(database(), sql.c_str());
        std::string text;
        EXPECT_EQ(
            status_of(
                [&] {
                    auto store = open();
                    store->list_spaces([](const std::string&, const std::string&) { return true; });
                    work(*store, store->open_space("o", "c", false));
                },
                &text),
            Status::kCorrupt)
            << sql;
        EXPECT_NE(text.find(name), std::string::npos) << sql << ": " << text;
        EXPECT_NE(text.find("restore a backup"), std::string::npos) << text;
    };
    const Work search = [&](Store& store, const std::shared_ptr<Space>& space) {
        find(store, space, std::vector<float>(kDim, 1), 99);
    };
    const Work chunk = [](Store&, const std::shared_ptr<Space>& space) {
        space->read_chunk("1", 1);
    };
    const Work pointers = [](Store& store, const std::shared_ptr<Space>& space) {
        store.pointers(space);
    };
    const Work text = [](Store&, const std::shared_ptr<Space>& space) {
        space->read_text("1", 0, 60);
    };
    const Work segments = [](Store&, const std::shared_ptr<Space>& space) {
        space->list_segments("1");
    };
    const Work info = [](Store&, const std::shared_ptr<Space>& space) {
        space->find_document("1");
    };
    const Work nothing = [](Store&, const std::shared_ptr<Space>&) {};

    with("UPDATE chunks SET key = zeroblob(48) WHERE id = 8", "\"1\"", search);
    with("UPDATE chunks SET key = zeroblob(47) WHERE id = 8", "\"1\"", search);
    for (const char* change :
         {"byte_begin = 11", "byte_end = 21", "provisional = 1", "ordinal = 9"})
        with(std::string("UPDATE chunks SET ") + change + " WHERE id = 8", "\"1\"", search);
    with("UPDATE chunks SET segment_id = 2 WHERE id = 9", "\"0\"", search);  // wandered
    with("UPDATE chunks SET tokens = x'020000' WHERE id = 8", "\"1\"", chunk);
    with("UPDATE chunks SET n_tokens = 7 WHERE id = 8", "\"1\"", chunk);
    with("UPDATE chunks SET key_seal = key_seal + 1 WHERE id = 8", "\"1\"", search);
    with("UPDATE chunks SET tokens_seal = tokens_seal + 1 WHERE id = 8", "\"1\"", chunk);
    with("DELETE FROM states WHERE chunk_id = 8; DELETE FROM chunks WHERE id = 8", "space 1",
         search);

    with("UPDATE states SET body = zeroblob(10) WHERE chunk_id = 8", "\"1\"", chunk);
    with(
        "UPDATE states SET (seal, body) = (SELECT seal, body FROM states WHERE chunk_id = 4) WHERE "
        "chunk_id = 8",
        "\"1\"", chunk);
    with("DELETE FROM states WHERE chunk_id = 8", "\"1\"", chunk);

    with("UPDATE pointers SET body = zeroblob(10) WHERE chunk_id = 8", "\"1\"", chunk);
    with("UPDATE pointers SET body = x'' WHERE chunk_id = 8", "\"1\"", pointers);
    with(
        "UPDATE pointers SET (seal, body) = (SELECT seal, body FROM pointers WHERE chunk_id = 4) "
        "WHERE chunk_id = 8",
        "\"1\"", pointers);
    with("UPDATE pointers SET seal = seal + 1 WHERE chunk_id = 8", "\"1\"", pointers);
    with("DELETE FROM pointers WHERE chunk_id = 8", "\"1\"", pointers);
    with("DELETE FROM chunks WHERE id = 8", "space 1", pointers);

    // a searcher may know the chunk from an index that was made before
    for (const char* change : {"byte_begin = 100000", "byte_begin = -5", "byte_end = 100000",
                               "byte_end = -1", "byte_begin = byte_end + 1"})
        with(std::string("UPDATE chunks SET ") + change + " WHERE id = 8", "chunk 8",
             [](Store& store, const std::shared_ptr<Space>&) { store.read_hit_text(8, false); });

    with("UPDATE segments SET text = x'0000' WHERE id = 3", "segment 3", text);
    with(
        "UPDATE segments SET (text, text_seal) = (SELECT text, text_seal FROM segments WHERE id = "
        "1) "
        "WHERE id = 3",
        "segment 3", text);
    for (const char* change : {"identity = zeroblob(32)", "identity = NULL", "identity = x'01'",
                               "bytes = 39", "n_tokens = 1", "n_chunks = 3", "flags = 2",
                               "space_id = 2", "seal = seal + 1", "text_seal = text_seal + 1"})
        with(std::string("UPDATE segments SET ") + change + " WHERE id = 3", "segment 3", text);
    with("DELETE FROM segments WHERE id = 3", "segment 3", segments);
    with("UPDATE segments SET standing = 1 WHERE id = 3", "space 1", search);

    // the lower half of a number is the right one
    with("UPDATE segments SET standing = standing + 4294967296 WHERE id = 3", "standing", segments);
    with("UPDATE chunks SET provisional = 256 WHERE id = 8", "provisional", search);
    for (const char* column : {"n_tokens", "key_seal", "tokens_seal"})
        with("UPDATE chunks SET " + std::string(column) + " = " + column +
                 " + 4294967296 WHERE id = 8",
             column, chunk);

    for (const char* change :
         {"key = '2'", "pending = 1", "revision = 2", "uri = 'x'", "meta = 'x'", "timestamp_ms = 1",
          "bytes = 59", "bytes_searchable = 59", "tokens = 1", "chunks = 5", "flags = 0",
          "content_hash = zeroblob(32)", "places = places + 1", "seal = seal + 1"})
        with(std::string("UPDATE documents SET ") + change + " WHERE id = 2",
             "checksum of document", [](Store&, const std::shared_ptr<Space>& space) {
                 space->list_documents("", [](const DocumentInfo&) { return true; });
             });
    with("UPDATE documents SET tokens = 1 WHERE id = 2", "\"1\"", info);

    with("UPDATE spaces SET owner = 'p' WHERE id = 1", "space 1", nothing);
    with("UPDATE spaces SET seal = seal + 1", "space 1", nothing);
    with("UPDATE spaces SET digest = digest + 1", "space 1", search);

    for (const char* change : {"fingerprint = zeroblob(32)", "dim = 23", "chunk_tokens = 9",
                               "context_tokens = 17", "pointer_dim = 8", "seal = seal + 1"})
        with(std::string("UPDATE store SET ") + change, "binding", nothing);
    with("DELETE FROM store", "binding", nothing);
}

// The list of a document's segments has no checksum of its own row by row: the document's digest
// finds what is changed, missing or too much.

TEST_F(StoreFault, damaged_places_are_corrupt_whoever_reads_them) {
    fill(2, 6);
    const std::string bytes = read_bytes(database());
    for (const char* sql : {
             "DELETE FROM places WHERE document_id = 2 AND segment_id = 3",
             "DELETE FROM places WHERE document_id = 2 AND segment_id = 4",
             "UPDATE places SET segment_id = 1 WHERE document_id = 2 AND segment_id = 3",
             "UPDATE places SET bytes = bytes + 1 WHERE document_id = 2 AND segment_id = 3",
             "UPDATE places SET n_chunks = n_chunks - 1 WHERE document_id = 2 AND segment_id = 3",
             "UPDATE places SET place = place + (SELECT max(place) FROM places) WHERE document_id "
             "= 2 "
             "AND segment_id = 3",
             "INSERT INTO places VALUES(2, 5, 1, 40, 4)",
         }) {
        write_bytes(database(), bytes);
        std::filesystem::remove_all(path_ + "/index");
        run_sql(database(), sql);
        auto store = open();
        auto space = store->open_space("o", "c", false);
        const auto is_corrupt = [&](const char* what, auto&& call) {
            std::string text;
            EXPECT_EQ(status_of(call, &text), Status::kCorrupt) << sql << ", " << what;
            EXPECT_NE(text.find("document 2"), std::string::npos) << text;
        };
        is_corrupt("text", [&] { space->read_text("1", 0, 60); });
        is_corrupt("chunk", [&] { space->read_chunk("1", 5); });
        is_corrupt("segments", [&] { space->list_segments("1"); });
        is_corrupt("resume", [&] { space->resume_document("1"); });
        is_corrupt("exclude", [&] {
            SearchFilter filter;
            filter.exclude_key = "1";
            find(*store, space, std::vector<float>(kDim, 1), 99, filter);
        });
        // Of segments that are still named: where they stand cannot be told.
        is_corrupt("describe", [&] {
            for (uint64_t chunk = 7; chunk <= 12; ++chunk) store->describe(chunk);
        });
        is_corrupt("context", [&] {
            for (uint64_t segment = 3; segment <= 4; ++segment)
                store->read_segment_tokens(segment, 8);
        });
        EXPECT_NO_THROW(space->read_text("0", 0, 60));
        EXPECT_NO_THROW(space->delete_document("1"));  // what the message advises
        EXPECT_FALSE(space->find_document("1"));
    }
}

TEST_F(StoreFault, damaged_sums_of_a_long_document_are_found) {
    {
        auto store = open();
        auto space = store->open_space("o", "c", true);
        Numbers numbers(4);
        add(*space, "long", make_document(numbers, 300, 1));
        add(*space, "short", make_document(numbers, 6));
        store->close();
    }
    const std::string bytes = read_bytes(database());
    for (const char* sql : {
             "DELETE FROM place_sums",
             "DELETE FROM place_sums WHERE node = 3",
             "UPDATE place_sums SET bytes = bytes + 10 WHERE node = 3",
             "UPDATE place_sums SET level = 2 WHERE node = 3",
             "UPDATE documents SET levels = 0 WHERE key = 'long'",
             "DELETE FROM places WHERE document_id = 1 AND place = 100 * 4294967296",
         }) {
        write_bytes(database(), bytes);
        run_sql(database(), sql);
        auto store = open();
        auto space = store->open_space("o", "c", false);
        size_t found = 0;
        store->check(CheckLevel::kQuick, [&](const Finding& finding) {
            found += finding.severity == Finding::Severity::kDamage;
        });
        EXPECT_GT(found, 0u) << sql;
        EXPECT_EQ(status_of([&] { space->read_text("long", 0, SIZE_MAX); }), Status::kCorrupt)
            << sql;
        EXPECT_EQ(space->read_text("short", 0, SIZE_MAX).size(), 60u);
    }
}

TEST_F(StoreFault, truncated_files_are_corrupt) {
    fill();
    const std::string bytes = read_bytes(database());
    for (const size_t size : {size_t(0), size_t(1), size_t(50), size_t(100), size_t(4096),
                              bytes.size() / 2, bytes.size() - 1, bytes.size() - 4096}) {
        write_bytes(database(), bytes.substr(0, size));
        EXPECT_EQ(status_of([&] { everything(); }), Status::kCorrupt) << size;
        const Status created = status_of([&] { open(); });  // does not take damage for a beginning
        EXPECT_TRUE(created == Status::kCorrupt || (created == Status::kOk && size >= 4096))
            << size;
    }
}

TEST_F(StoreFault, foreign_files_are_not_stores) {
    std::filesystem::create_directory(path_);
    EXPECT_EQ(status_of([&] { Store::open(path_, options(false)); }), Status::kNotFound);
    std::string noise(20000, '\0');
    Numbers numbers(1);
    for (char& c : noise) c = static_cast<char>(numbers.next());
    write_bytes(database(), noise);
    EXPECT_EQ(status_of([&] { open(); }), Status::kCorrupt);
    std::filesystem::remove(database());
    run_sql(database(), "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    std::string text;
    EXPECT_EQ(status_of([&] { open(); }, &text), Status::kCorrupt);
    EXPECT_NE(text.find("not a store"), std::string::npos) << text;
    EXPECT_EQ(status_of([&] { Store::destroy(path_); }), Status::kCorrupt);
    EXPECT_TRUE(std::filesystem::exists(database()));
    write_bytes(folder_ + "/file", "x");
    EXPECT_EQ(status_of([&] { Store::open(folder_ + "/file", options()); }), Status::kArgument);
    EXPECT_EQ(status_of([&] { Store::open(folder_ + "/no/parent", options()); }),
              Status::kNotFound);
    EXPECT_EQ(status_of([&] { Store::destroy(folder_ + "/absent"); }), Status::kNotFound);
}

TEST_F(StoreFault, newer_version_names_both_numbers) {
    fill();
    run_sql(database(), "PRAGMA user_version=7");
    std::string text;
    EXPECT_EQ(status_of([&] { open(); }, &text), Status::kVersion);
    EXPECT_NE(text.find("format 7"), std::string::npos) << text;
    EXPECT_NE(text.find("format 5"), std::string::npos) << text;
    EXPECT_EQ(status_of([&] { open_reader(); }), Status::kVersion);
}

TEST_F(StoreFault, another_model_names_both_fingerprints) {
    fill();
    StoreOptions o = options(false);
    o.model = test_model(2);
    std::string text;
    EXPECT_EQ(status_of([&] { Store::open(path_, o); }, &text), Status::kModelMismatch);
    EXPECT_NE(text.find(to_hex(test_model(1).fingerprint)), std::string::npos) << text;
    EXPECT_NE(text.find(to_hex(test_model(2).fingerprint)), std::string::npos) << text;
    o.model.reset();
    EXPECT_EQ(Store::open(path_, o)->model().dim, kDim);  // administration needs none
    o.create = true;
    o.exclusive = true;
    o.model = test_model();
    EXPECT_EQ(status_of([&] { Store::open(path_, o); }), Status::kExists);
    o.exclusive = false;
    o.model.reset();
    EXPECT_EQ(status_of([&] { Store::open(folder_ + "/new", o); }), Status::kArgument);
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/new"));
}

// Rights do not bind the superuser, so that the child becomes nobody first.

TEST_F(StoreFault, log_with_flipped_bytes_never_shows_half_a_commit) {
    // A writer that dies leaves its commits in the log; damage there ends the log, it does not bend
    // it.
    ASSERT_EQ(in_child([&] {
                  auto store = open();
                  auto space = store->open_space("o", "c", true);
                  Numbers numbers(1);
                  for (int i = 0; i < 10; ++i)
                      add(*space, std::to_string(i), make_document(numbers, 3));
                  ::_exit(0);
                  return 1;
              }),
              0);
    const std::string log = read_bytes(database() + "-wal"), base = read_bytes(database());
    ASSERT_GT(log.size(), 10000u);
    Numbers numbers(3);
    for (int i = 0; i < 25; ++i) {
        std::string bad = log;
        const size_t at = numbers.next() % bad.size();
        bad[at] = static_cast<char>(bad[at] ^ 0x40);
        std::filesystem::remove(database() + "-shm");
        write_bytes(database(), base);
        write_bytes(database() + "-wal", bad);
        auto store = open();
        const StoreStats stats = store->stats();
        EXPECT_EQ(stats.chunks, stats.documents * 3);
        if (stats.spaces == 0) continue;
        auto space = store->open_space("o", "c", false);
        EXPECT_EQ(find(*store, space, std::vector<float>(kDim, 1), 999).size(), stats.chunks);
    }
}

}  // namespace rpt::storage
