// Bad input and bad machines for a store: damage, foreign files, other versions, no room, no
// permission, dead writers. Every case ends in a status; none in an abort or in a wrong answer.
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cstring>
#include <fstream>
#include <functional>

#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

// Runs `work` in a child; its result, or -1 if it died. A child is where limits and rights can be
// given up.
int in_child(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        int result = 99;
        try {
            result = work();
        } catch (...) {
        }
        ::_exit(result);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string read_bytes(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_bytes(const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

void run_sql(const std::string& file, const char* sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
}

class StoreFault : public StoreTest {
  protected:
    // A closed store with some documents; every byte of it is in store.sqlite.
    void fill(int documents = 4, uint64_t chunks = 6) {
        auto store = open();
        auto space = store->open_space("o", "c", true);
        Numbers numbers(1);
        for (int i = 0; i < documents; ++i) {
            const std::string key = std::to_string(i);
            Flush flush = make_document(numbers, chunks);
            add(*space, key, flush);
        }
        store->close();
    }
    std::string database() const { return path_ + "/store.sqlite"; }

    // All that a store holds, as one string; throws like the calls it makes.
    std::string everything() {
        auto store = Store::open(path_, options(false));
        std::string all;
        std::vector<std::pair<std::string, std::string>> names;
        store->list_spaces([&](const std::string& o, const std::string& c) {
            names.emplace_back(o, c);
            return true;
        });
        const auto put = [&](const auto& values) {
            all.append(reinterpret_cast<const char*>(values.data()),
                       values.size() * sizeof(values[0]));
        };
        for (const auto& [owner, collection] : names) {
            auto space = store->open_space(owner, collection, false);
            all += owner + collection;
            std::vector<DocumentInfo> documents;
            space->list_documents("", [&](const DocumentInfo& info) {
                documents.push_back(info);
                return true;
            });
            for (const DocumentInfo& info : documents) {
                all += info.key + space->read_text(info.key, 0, SIZE_MAX);
                put(info.content_hash);
                for (uint64_t i = 0; i < info.chunks; ++i) {
                    const auto chunk = space->read_chunk(info.key, i);
                    if (!chunk) throw Error(Status::kNotFound, "test", "chunk is missing");
                    put(chunk->tokens);
                    put(chunk->key);
                    put(chunk->states);
                }
            }
            for (const Hit& hit :
                 store->search({&space, 1}, std::vector<float>(kDim, 1), 1000, {})) {
                all += std::to_string(hit.chunk_id) + " " + std::to_string(hit.score) + "\n";
                const auto states = store->load_states({&hit, 1});
                if (states[0].chunk) put(*states[0].chunk);
            }
        }
        return all;
    }
};

}  // namespace

TEST_F(StoreFault, second_writer_is_told_who_holds_the_store) {
    auto store = open();
    std::string text;
    EXPECT_EQ(status_of([&] { open(); }, &text), Status::kBusy);
    EXPECT_NE(text.find(std::to_string(::getpid())), std::string::npos) << text;
    EXPECT_EQ(in_child([&] { return status_of([&] { open(); }) == Status::kBusy ? 0 : 1; }), 0);
    EXPECT_EQ(status_of([&] { Store::destroy(path_); }), Status::kBusy);
    open_reader();
    store->close();
    auto reader = open_reader();
    EXPECT_EQ(status_of([&] { Store::destroy(path_); }), Status::kBusy);
    reader.reset();
    EXPECT_NO_THROW(open());
}

TEST_F(StoreFault, killed_writer_loses_nothing_it_acknowledged) {
    for (const Durability durability :
         {Durability::kFlush, Durability::kNormal, Durability::kNone}) {
        std::filesystem::remove_all(path_);
        // The child tells each commit through shared memory, then is killed at a moment of its own.
        auto* committed = static_cast<std::atomic<int>*>(
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        ASSERT_NE(committed, MAP_FAILED);
        const pid_t child = ::fork();
        if (child == 0) {
            try {
                StoreOptions o = options();
                o.durability = durability;
                auto store = Store::open(path_, o);
                auto space = store->open_space("o", "c", true);
                auto growing = space->begin_document(spec_of("growing"));
                Numbers numbers(7);
                for (int i = 0;; ++i) {
                    add(*space, std::to_string(i), make_document(numbers, 3));
                    Flush flush;
                    flush.text = "0123456789";
                    flush.chunks = {make_chunk(numbers, static_cast<uint64_t>(i))};
                    growing->commit(flush);
                    committed->store(i + 1);
                }
            } catch (...) {
            }
            ::_exit(1);
        }
        while (committed->load() < 25) ::usleep(500);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        const int n = committed->load();
        auto store = open();  // the lock is free at once
        auto space = store->open_space("o", "c", false);
        for (int i = 0; i < n; ++i) {
            const auto info = space->find_document(std::to_string(i));
            ASSERT_TRUE(info && info->finished && info->chunks == 3) << i;
        }
        const auto growing = space->find_document("growing");
        ASSERT_TRUE(growing);
        EXPECT_GE(growing->chunks, static_cast<uint64_t>(n));
        EXPECT_LE(growing->chunks, static_cast<uint64_t>(n) + 1);
        EXPECT_EQ(growing->bytes, growing->chunks * 10);
        EXPECT_EQ(space->read_text("growing", 0, SIZE_MAX).size(), growing->bytes);
        EXPECT_EQ(find(*store, space, std::vector<float>(kDim, 1), 100000).size(),
                  store->stats().chunks);
        store->close();
        ::munmap(committed, 4096);
    }
}

TEST_F(StoreFault, child_that_exits_without_closing_leaves_a_whole_store) {
    EXPECT_EQ(in_child([&] {
                  auto store = open();
                  auto space = store->open_space("o", "c", true);
                  Numbers numbers(1);
                  add(*space, "done", make_document(numbers, 3));
                  auto replacing = space->begin_document(spec_of("done", true));
                  Flush flush = make_document(numbers, 9);
                  flush.finish = false;
                  replacing->commit(flush);
                  ::_exit(0);
                  return 1;
              }),
              0);
    auto store = open();
    auto space = store->open_space("o", "c", false);
    EXPECT_EQ(space->find_document("done")->chunks, 3u);
    EXPECT_EQ(store->stats().chunks, 3u);
    EXPECT_EQ(find(*store, space, std::vector<float>(kDim, 1), 99).size(), 3u);
}

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

TEST_F(StoreFault, damaged_blobs_name_their_chunk_and_document) {
    fill(2, 3);
    const std::string bytes = read_bytes(database());
    const auto with = [&](const char* sql,
                          const std::function<void(Store&, const std::shared_ptr<Space>&)>& work) {
        write_bytes(database(), bytes);
        std::filesystem::remove_all(path_ + "/index");
        run_sql(database(), sql);
        std::string text;
        auto store = open();
        auto space = store->open_space("o", "c", false);
        EXPECT_EQ(status_of([&] { work(*store, space); }, &text), Status::kCorrupt) << sql;
        EXPECT_NE(text.find("\"1\""), std::string::npos) << text;
        EXPECT_NE(text.find("restore a backup"), std::string::npos) << text;
        store->close();
    };
    const auto search = [&](Store& store, const std::shared_ptr<Space>& space) {
        find(store, space, std::vector<float>(kDim, 1), 9);
    };
    const auto read = [](Store&, const std::shared_ptr<Space>& space) {
        space->read_chunk("1", 1);
    };
    with("UPDATE chunks SET key = zeroblob(48) WHERE id = 5", search);
    with("UPDATE chunks SET key = zeroblob(47) WHERE id = 5", search);
    with("UPDATE chunks SET byte_end = byte_end + 1 WHERE id = 5", search);
    with("UPDATE chunks SET tokens = x'020000' WHERE id = 5", read);
    with("UPDATE states SET body = zeroblob(10) WHERE chunk_id = 5", read);
    with(
        "UPDATE states SET body = (SELECT body FROM states WHERE chunk_id = 4), seal = (SELECT "
        "seal FROM states WHERE "
        "chunk_id = 4) WHERE chunk_id = 5",
        read);
    with("DELETE FROM states WHERE chunk_id = 5", read);
    with("UPDATE text_pages SET body = x'0000' WHERE document_id = 2",
         [](Store&, const std::shared_ptr<Space>& space) { space->read_text("1", 0, 5); });
    with("UPDATE documents SET tokens = 1 WHERE id = 2",
         [](Store&, const std::shared_ptr<Space>& space) { space->find_document("1"); });
    // a row that is gone without its traces
    write_bytes(database(), bytes);
    std::filesystem::remove_all(path_ + "/index");
    run_sql(database(), "DELETE FROM states WHERE chunk_id = 5; DELETE FROM chunks WHERE id = 5");
    auto store = open();
    EXPECT_EQ(status_of([&] { search(*store, store->open_space("o", "c", false)); }),
              Status::kCorrupt);
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

TEST_F(StoreFault, destroying_leaves_unknown_files_alone) {
    fill();
    write_bytes(path_ + "/mine.txt", "keep");
    Store::destroy(path_);
    EXPECT_FALSE(std::filesystem::exists(database()));
    EXPECT_TRUE(std::filesystem::exists(path_ + "/mine.txt"));
    EXPECT_FALSE(std::filesystem::exists(path_ + "/index"));
    std::filesystem::remove(path_ + "/mine.txt");
    fill();
    Store::destroy(path_);
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(StoreFault, newer_version_names_both_numbers) {
    fill();
    run_sql(database(), "PRAGMA user_version=7");
    std::string text;
    EXPECT_EQ(status_of([&] { open(); }, &text), Status::kVersion);
    EXPECT_NE(text.find("format 7"), std::string::npos) << text;
    EXPECT_NE(text.find("format 1"), std::string::npos) << text;
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
TEST_F(StoreFault, folder_that_cannot_be_written_is_read) {
    fill();
    const std::string good = everything();
    for (const char* name : {"", "/store.sqlite", "/lock"})
        ::chmod((path_ + name).c_str(), *name ? 0444 : 0555);
    ::chmod((path_ + "/index").c_str(), 0555);
    ::chmod(folder_.c_str(), 0755);
    const auto as_nobody = [&](const std::function<int()>& work) {
        return in_child([&] {
            if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return 98;
            return work();
        });
    };
    EXPECT_EQ(as_nobody([&] {
                  auto store = open_reader();
                  auto space = store->open_space("o", "c", false);
                  return find(*store, space, std::vector<float>(kDim, 1), 99).size() == 24 ? 0 : 1;
              }),
              0);
    EXPECT_EQ(
        as_nobody([&] {
            std::string text;
            const Status status = status_of([&] { Store::open(path_, options(false)); }, &text);
            return status == Status::kReadOnly && text.find("ermission") != std::string::npos ? 0
                                                                                              : 1;
        }),
        0);
    // With a log that only a writer could merge there is no whole database to read.
    ::chmod(path_.c_str(), 0755);
    write_bytes(path_ + "/store.sqlite-wal", std::string(5000, 'x'));
    ::chmod((path_ + "/store.sqlite-wal").c_str(), 0444);
    ::chmod(path_.c_str(), 0555);
    EXPECT_EQ(
        as_nobody([&] { return status_of([&] { open_reader(); }) == Status::kReadOnly ? 0 : 1; }),
        0);
    ::chmod(path_.c_str(), 0755);
    std::filesystem::remove(path_ + "/store.sqlite-wal");
    ::chmod((path_ + "/store.sqlite").c_str(), 0644);
    ::chmod((path_ + "/index").c_str(), 0755);
    EXPECT_TRUE(everything() == good);
}

// A limit on the size of files stands for a full disk: it needs no rights and fails the same calls.
TEST_F(StoreFault, full_disk_changes_nothing_and_may_be_tried_again) {
    fill();
    const std::string good = everything();
    for (const uint64_t room : {uint64_t(0), uint64_t(3000), uint64_t(30000), uint64_t(200000)}) {
        const int result = in_child([&] {
            ::signal(SIGXFSZ, SIG_IGN);
            auto store = open();
            auto space = store->open_space("o", "c", false);
            Numbers numbers(9);
            auto writer = space->begin_document(spec_of("large"));
            const Flush flush = make_document(numbers, 2000);
            rlimit limit{};
            ::getrlimit(RLIMIT_FSIZE, &limit);
            const rlim_t before = limit.rlim_cur;
            limit.rlim_cur = room;
            ::setrlimit(RLIMIT_FSIZE, &limit);
            const Status status = status_of([&] { writer->commit(flush); });
            if (status != Status::kNoSpace) return 10 - static_cast<int>(status);
            if (space->find_document("large") || writer->info().bytes != 0) return 2;
            if (find(*store, space, std::vector<float>(kDim, 1), 99).size() != 24) return 3;
            limit.rlim_cur = before;
            ::setrlimit(RLIMIT_FSIZE, &limit);
            writer->commit(flush);
            if (find(*store, space, std::vector<float>(kDim, 1), 9999).size() != 2024) return 4;
            writer.reset();
            space->delete_document("large");
            store->close();
            return 0;
        });
        EXPECT_EQ(result, 0) << room;
        EXPECT_TRUE(everything() == good);
    }
}

TEST_F(StoreFault, full_disk_while_creating_leaves_no_store) {
    const int result = in_child([&] {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{8000, 8000};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        return status_of([&] { open(); }) == Status::kNoSpace ? 0 : 1;
    });
    EXPECT_EQ(result, 0);
    EXPECT_FALSE(std::filesystem::exists(path_));
    EXPECT_NO_THROW(open());
}

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
