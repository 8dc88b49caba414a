// Stores of every format version open for ever; broken ones give clear errors.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/error.h"
#include "storage/sqlite/schema.h"
#include "storage/store.h"
#include "tests/fakes/synthetic_segments.h"

namespace rpt::storage {
namespace {

struct Listed {
    std::string owner, collection, key, uri, text;
    uint64_t revision = 0, bytes = 0, tokens = 0, chunks = 0;
    int64_t timestamp_ms = 0;
    bool finished = false, discarded = false;
};

struct Golden {
    uint32_t version = 0;
    std::string folder;
    std::string database;  // its bytes
    std::set<std::pair<std::string, std::string>> spaces;
    std::vector<Listed> documents;
};

std::string content_of(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

void put_content(const std::string& file, const std::string& content) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
}

Golden load(const std::filesystem::path& folder) {
    Golden golden;
    golden.folder = folder;
    golden.version = static_cast<uint32_t>(std::stoul(folder.filename()));
    golden.database = content_of(golden.folder + "/store.sqlite");
    std::ifstream lines(golden.folder + "/documents.txt");
    std::string line, owner, collection;
    while (std::getline(lines, line)) {
        std::vector<std::string> fields;
        std::istringstream rest(line);
        for (std::string field; std::getline(rest, field, '\t');) fields.push_back(field);
        fields.resize(10);  // the uri may be empty
        if (fields[0] == "space") {
            owner = fields[1];
            collection = fields[2];
            golden.spaces.emplace(owner, collection);
            continue;
        }
        Listed one;
        one.owner = owner;
        one.collection = collection;
        one.key = fields[1];
        one.revision = std::stoull(fields[2]);
        one.finished = fields[3] == "finished";
        one.discarded = fields[4] == "discarded";
        one.bytes = std::stoull(fields[5]);
        one.tokens = std::stoull(fields[6]);
        one.chunks = std::stoull(fields[7]);
        one.timestamp_ms = std::stoll(fields[8]);
        one.uri = fields[9];
        std::string name = owner + "." + collection + "." + one.key;
        std::ranges::replace(name, '/', '_');
        if (!one.discarded && one.bytes > 0)
            one.text = content_of(golden.folder + "/texts/" + name);
        golden.documents.push_back(one);
    }
    return golden;
}

const std::vector<Golden>& goldens() {
    static const std::vector<Golden> all = [] {
        std::vector<Golden> found;
        for (const auto& entry :
             std::filesystem::directory_iterator(RPT_SOURCE_DIR "/tests/golden"))
            if (entry.is_directory()) found.push_back(load(entry.path()));
        std::ranges::sort(found, {}, &Golden::version);
        return found;
    }();
    return all;
}

template <typename Call>
Status status_of(Call&& call, std::string* text = nullptr) {
    try {
        call();
    } catch (const Error& error) {
        if (text != nullptr) *text = error.what();
        return error.status();
    }
    return Status::kOk;
}

class GoldenTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "rpt_golden_XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
        path_ = folder_ + "/store";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    void copy(const std::string& database) const {
        std::filesystem::remove_all(path_);
        std::filesystem::create_directory(path_);
        put_content(path_ + "/store.sqlite", database);
    }
    std::shared_ptr<Store> open(bool read_only = false) const {
        StoreOptions options;
        options.read_only = read_only;
        return Store::open(path_, options);
    }

    static void expect_same(Store& store, const Golden& golden) {
        store.check(CheckLevel::kFull, [&](const Finding& finding) {
            EXPECT_EQ(finding.severity, Finding::Severity::kNote)
                << golden.version << ": " << finding.text;
        });
        std::set<std::pair<std::string, std::string>> spaces;
        size_t documents = 0;
        store.list_spaces([&](const std::string& owner, const std::string& collection) {
            spaces.emplace(owner, collection);
            store.open_space(owner, collection, false)
                ->list_documents("", [&](const DocumentInfo&) { return ++documents > 0; });
            return true;
        });
        EXPECT_EQ(spaces, golden.spaces);
        EXPECT_EQ(documents, golden.documents.size());
        EXPECT_GT(documents, 0u);
        for (const Listed& listed : golden.documents) expect_document(store, listed);
    }

    static void expect_document(Store& store, const Listed& listed) {
        const auto space = store.open_space(listed.owner, listed.collection, false);
        const auto info = space->find_document(listed.key);
        ASSERT_TRUE(info) << listed.key;
        EXPECT_EQ(info->revision, listed.revision) << listed.key;
        EXPECT_EQ(info->finished, listed.finished) << listed.key;
        EXPECT_EQ(info->text_discarded, listed.discarded) << listed.key;
        EXPECT_EQ(info->bytes, listed.bytes) << listed.key;
        EXPECT_EQ(info->tokens, listed.tokens) << listed.key;
        EXPECT_EQ(info->chunks, listed.chunks) << listed.key;
        EXPECT_EQ(info->timestamp_ms, listed.timestamp_ms) << listed.key;
        EXPECT_EQ(info->uri, listed.uri) << listed.key;
        if (listed.discarded) {
            EXPECT_EQ(status_of([&] { space->read_text(listed.key, 0, 1); }), Status::kUnsupported);
        } else {
            EXPECT_EQ(space->read_text(listed.key, 0, 1 << 24), listed.text) << listed.key;
        }
        // Each chunk is the best answer to its own key.
        for (uint64_t ordinal = 0; ordinal < listed.chunks; ++ordinal) {
            const auto chunk = space->read_chunk(listed.key, ordinal);
            ASSERT_TRUE(chunk) << listed.key << " " << ordinal;
            for (const bool exact : {false, true}) {
                SearchFilter filter;
                filter.exact = exact;
                const auto hits = store.search({&space, 1}, chunk->key, 4, filter);
                EXPECT_FALSE(hits.empty());
                if (exact && !hits.empty() && !listed.discarded) {
                    EXPECT_TRUE(store.describe(hits[0].chunk_id));
                    EXPECT_NO_THROW(store.load_states(hits));
                    EXPECT_FALSE(store.read_hit_text(hits[0].chunk_id, false).empty());
                }
            }
        }
    }

    // Whatever a damaged store does must be an error of ours, a finding, or right. Returns what
    // went wrong otherwise.
    std::string exercise(const Golden& golden) const {
        static const std::set<Status> kSensible{Status::kCorrupt, Status::kVersion, Status::kIo,
                                                Status::kNotFound, Status::kNoMemory};
        std::string wrong;
        size_t alarms = 0;
        const auto attempt = [&](const char* what, const std::function<void()>& call) {
            try {
                call();
                return true;
            } catch (const Error& error) {
                ++alarms;
                if (!kSensible.contains(error.status()) ||
                    std::string(error.what()).find_first_of("\n\r") != std::string::npos)
                    wrong += std::string(what) + " gives status " +
                             std::to_string(static_cast<int>(error.status())) + ": " +
                             error.what() + "\n";
                return false;
            } catch (const std::exception& error) {
                wrong += std::string(what) + " throws what is not ours: " + error.what() + "\n";
                return false;
            }
        };
        if (golden.version < kFormatVersion && !attempt("upgrade", [&] { Store::upgrade(path_); }))
            return wrong;
        std::shared_ptr<Store> store;
        if (!attempt("open", [&] { store = open(); })) return wrong;
        attempt("check", [&] {
            store->check(CheckLevel::kFull, [&](const Finding& finding) {
                alarms += finding.severity == Finding::Severity::kDamage;
                if (finding.text.find_first_of("\n\r") != std::string::npos)
                    wrong += "a finding of more than one line: " + finding.text + "\n";
            });
        });
        std::string amiss;  // what only an alarm excuses
        for (const Listed& listed : golden.documents) {
            attempt("reading", [&] {
                const auto space = store->open_space(listed.owner, listed.collection, false);
                const auto info = space->find_document(listed.key);
                if (!info) {
                    amiss += "\"" + listed.key + "\" is missing; ";
                    return;
                }
                if (info->revision != listed.revision || info->finished != listed.finished ||
                    info->bytes != listed.bytes || info->chunks != listed.chunks ||
                    info->uri != listed.uri || info->timestamp_ms != listed.timestamp_ms ||
                    info->text_discarded != listed.discarded)
                    amiss += "\"" + listed.key + "\" says other things of itself; ";
                if (!listed.discarded && space->read_text(listed.key, 0, 1 << 24) != listed.text)
                    wrong += "the text of \"" + listed.key + "\" is silently another\n";
                for (uint64_t i = 0; i < listed.chunks; i += 3) space->read_chunk(listed.key, i);
                const std::vector<float> query(store->model().key_width(), 0.5f);
                store->pointers(space);
                const auto hits = store->search({&space, 1}, query, 8, {});
                store->load_states(hits);
                for (const Hit& hit : hits) store->describe(hit.chunk_id);
            });
        }
        attempt("listing", [&] {
            std::set<std::pair<std::string, std::string>> spaces;
            store->list_spaces([&](const std::string& owner, const std::string& collection) {
                spaces.emplace(owner, collection);
                return true;
            });
            if (spaces != golden.spaces) amiss += "other spaces; ";
        });
        attempt("closing", [&] { store->close(); });
        if (alarms == 0 && !amiss.empty()) wrong += "silently " + amiss + "\n";
        return wrong;
    }

    void expect_sensible(const Golden& golden, const std::string& database,
                         const std::string& damage) {
        copy(database);
        const std::string wrong = exercise(golden);
        if (wrong.empty() || ++complaints_ > 12) return;
        ADD_FAILURE() << "format " << golden.version << ", " << damage << ": " << wrong;
    }

    std::string folder_, path_;
    int complaints_ = 0;
};

TEST_F(GoldenTest, golden_every_version_is_there) {
    std::set<uint32_t> versions;
    for (const Golden& golden : goldens()) versions.insert(golden.version);
    for (uint32_t version = 1; version <= kFormatVersion; ++version)
        EXPECT_TRUE(versions.contains(version)) << version;
}

TEST_F(GoldenTest, golden_older_version_asks_for_upgrade) {
    for (const Golden& golden : goldens()) {
        if (golden.version == kFormatVersion) continue;
        for (const bool read_only : {false, true}) {
            copy(golden.database);
            std::string text;
            EXPECT_EQ(status_of([&] { open(read_only); }, &text), Status::kVersion);
            EXPECT_NE(text.find("upgrade"), std::string::npos) << text;
            EXPECT_EQ(content_of(path_ + "/store.sqlite"), golden.database);
        }
    }
}

TEST_F(GoldenTest, golden_upgraded_holds_the_same) {
    for (const Golden& golden : goldens()) {
        copy(golden.database);
        EXPECT_EQ(Store::upgrade(path_), golden.version < kFormatVersion);
        EXPECT_FALSE(Store::upgrade(path_));
        {
            const auto store = open(true);
            EXPECT_EQ(store->stats().format_version, kFormatVersion);
            expect_same(*store, golden);
        }
        {
            const auto store = open();
            expect_same(*store, golden);
            store->rebuild_index();
            store->compact();
            expect_same(*store, golden);
            store->backup(folder_ + "/copy");
            store->close();
        }
        expect_same(*open(true), golden);
        StoreOptions options;
        options.read_only = true;
        expect_same(*Store::open(folder_ + "/copy", options), golden);
        std::filesystem::remove_all(folder_ + "/copy");
    }
}

TEST_F(GoldenTest, golden_cancelled_upgrade_changes_nothing) {
    for (const Golden& golden : goldens()) {
        if (golden.version == kFormatVersion) continue;
        for (int stop = 1; stop < 100; ++stop) {
            copy(golden.database);
            int calls = 0;
            const CallControl control(nullptr, 0,
                                      [&](uint64_t, uint64_t) { return ++calls < stop; });
            const Status status = status_of([&] { Store::upgrade(path_, control); });
            if (status == Status::kOk) break;
            EXPECT_EQ(status, Status::kCancelled);
            EXPECT_EQ(status_of([&] { open(); }), Status::kVersion);
            EXPECT_FALSE(std::filesystem::exists(path_ + "/store.sqlite.new"));
        }
        expect_same(*open(), golden);
    }
}

TEST_F(GoldenTest, golden_goes_on_being_written) {
    for (const Golden& golden : goldens()) {
        copy(golden.database);
        Store::upgrade(path_);
        const auto store = open();
        const synthetic::Shape shape{store->model().dim, store->model().chunk_tokens,
                                     store->model().key_width(), store->model().pointer_dim};
        for (const Listed& listed : golden.documents) {
            const auto space = store->open_space(listed.owner, listed.collection, false);
            Edit edit;
            edit.segments.push_back(synthetic::segment_of({1000, 2, false}, shape));
            edit.finish = true;
            const std::string text = edit.segments[0].text + listed.text;
            edit.content_hash = sha256(text.data(), text.size());
            space->resume_document(listed.key)->commit(edit);
            if (listed.discarded) continue;
            EXPECT_EQ(space->read_text(listed.key, 0, 1 << 24), text);
        }
        store->check(CheckLevel::kFull, [&](const Finding& finding) {
            EXPECT_EQ(finding.severity, Finding::Severity::kNote)
                << golden.version << ": " << finding.text;
        });
        for (const Listed& listed : golden.documents)
            store->open_space(listed.owner, listed.collection, false)->delete_document(listed.key);
        store->compact();
        EXPECT_EQ(store->stats().chunks, 0u);
    }
}

TEST_F(GoldenTest, golden_wrong_header_is_named) {
    for (const Golden& golden : goldens()) {
        std::string database = golden.database;
        database[71] ^= 1;  // application_id
        copy(database);
        EXPECT_EQ(status_of([&] { open(); }), Status::kCorrupt);
        EXPECT_EQ(status_of([&] { Store::upgrade(path_); }), Status::kCorrupt);
        database = golden.database;
        database[63] = 99;  // user_version
        copy(database);
        std::string text;
        EXPECT_EQ(status_of([&] { open(); }, &text), Status::kVersion);
        EXPECT_NE(text.find("update the library"), std::string::npos) << text;
        EXPECT_EQ(status_of([&] { Store::upgrade(path_); }, &text), Status::kVersion);
        EXPECT_NE(text.find("update the library"), std::string::npos) << text;
    }
}

TEST_F(GoldenTest, golden_missing_table_is_an_error) {
    for (const Golden& golden : goldens()) {
        std::vector<std::string> tables;
        for (bool first = true; first || !tables.empty(); first = false) {
            copy(golden.database);
            sqlite3* db = nullptr;
            ASSERT_EQ(sqlite3_open((path_ + "/store.sqlite").c_str(), &db), SQLITE_OK);
            if (first) {
                sqlite3_exec(
                    db,
                    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                    "'sqlite_%'",
                    [](void* out, int, char** values, char**) {
                        static_cast<std::vector<std::string>*>(out)->push_back(values[0]);
                        return 0;
                    },
                    &tables, nullptr);
                ASSERT_FALSE(tables.empty());
            }
            const std::string table = tables.back();
            tables.pop_back();
            EXPECT_EQ(sqlite3_exec(db, ("DROP TABLE " + table).c_str(), nullptr, nullptr, nullptr),
                      SQLITE_OK);
            sqlite3_close(db);
            const std::string database = content_of(path_ + "/store.sqlite");
            expect_sensible(golden, database, "without table " + table);
            // Not even quietly less.
            copy(database);
            const Status status = status_of([&] {
                Store::upgrade(path_);
                open()->check(CheckLevel::kFull, [](const Finding&) {});
            });
            EXPECT_EQ(status, Status::kCorrupt) << table;
        }
    }
}

// Valid segments, each under its seal, but not those of the document.
TEST_F(GoldenTest, golden_other_segments_are_an_error) {
    const Golden& golden = goldens().back();
    for (const char* sql : {"UPDATE places SET segment_id = (SELECT max(segment_id) FROM places) "
                            "WHERE document_id = 1 AND "
                            "place = (SELECT min(place) FROM places WHERE document_id = 1)",
                            "DELETE FROM places WHERE document_id = 1 AND place = (SELECT "
                            "max(place) FROM places WHERE "
                            "document_id = 1)",
                            "UPDATE places SET place = -place WHERE document_id = 1"}) {
        copy(golden.database);
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open((path_ + "/store.sqlite").c_str(), &db), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK);
        EXPECT_EQ(sqlite3_changes(db) > 0, true) << sql;
        sqlite3_close(db);
        const auto store = open();
        const auto space = store->open_space("default", "default", false);
        const char* key = "docs/a.txt";  // document 1
        EXPECT_EQ(status_of([&] { space->read_text(key, 0, 1 << 20); }), Status::kCorrupt) << sql;
        EXPECT_EQ(status_of([&] { space->list_segments(key); }), Status::kCorrupt) << sql;
        EXPECT_EQ(status_of([&] { space->read_chunk(key, 0); }), Status::kCorrupt) << sql;
        EXPECT_EQ(status_of([&] { space->resume_document(key); }), Status::kCorrupt) << sql;
        EXPECT_EQ(status_of([&] { space->delete_document(key); }), Status::kOk) << sql;
    }
}

TEST_F(GoldenTest, golden_truncated_is_never_silent) {
    for (const Golden& golden : goldens()) {
        const size_t size = golden.database.size();
        std::set<size_t> sizes{0, 1, 15, 16, 99, 100, 101, 511, 512, 1024};
        for (size_t page = 1; page * 4096 <= size; ++page)
            for (const size_t at : {page * 4096 - 1, page * 4096, page * 4096 + 1})
                if (at < size) sizes.insert(at);
        synthetic::Numbers numbers(1);
        for (int i = 0; i < 20; ++i) sizes.insert(numbers.below(size));
        for (const size_t at : sizes)
            expect_sensible(golden, golden.database.substr(0, at), "cut at " + std::to_string(at));
    }
}

TEST_F(GoldenTest, golden_zeroed_page_is_never_silent) {
    for (const Golden& golden : goldens()) {
        for (size_t at = 0; at + 4096 <= golden.database.size(); at += 4096) {
            std::string database = golden.database;
            std::fill_n(database.begin() + static_cast<ptrdiff_t>(at), 4096, '\0');
            expect_sensible(golden, database, "page " + std::to_string(at / 4096 + 1) + " zeroed");
        }
    }
}

TEST_F(GoldenTest, golden_flipped_bytes_are_never_silent) {
    for (const Golden& golden : goldens()) {
        synthetic::Numbers numbers(golden.version);
        std::vector<size_t> places;
        for (size_t at = 0; at < 120; ++at) places.push_back(at);
        for (int i = 0; i < 300; ++i) places.push_back(numbers.below(golden.database.size()));
        for (const size_t at : places) {
            std::string database = golden.database;
            database[at] = static_cast<char>(database[at] ^ (1 + numbers.below(255)));
            expect_sensible(golden, database, "byte " + std::to_string(at) + " changed");
        }
    }
}

}  // namespace
}  // namespace rpt::storage
