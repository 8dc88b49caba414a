// The layers themselves: what is failed is seen to fail, and the disk after a power cut loses what
// a disk may lose, no less.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file_bytes.h"
#include "base/file_lock.h"
#include "base/mapped_file.h"
#include "tests/fault/fault_plan.h"
#include "tests/fault/fault_vfs.h"
#include "tests/fault/power_cut.h"

namespace rpt::fault {
namespace {

std::string read_bytes(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_bytes(const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

Status status_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.status();
    }
    return Status::kOk;
}

// A plain connection that keeps its first failure.
class Database {
  public:
    Database(const std::string& file, const std::string& synchronous) {
        code_ = sqlite3_open_v2(file.c_str(), &db_,
                                SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE,
                                nullptr);
        exec("PRAGMA journal_mode=WAL");
        exec("PRAGMA wal_autocheckpoint=12");
        exec("PRAGMA synchronous=" + synchronous);
        exec("CREATE TABLE IF NOT EXISTS rows(id INTEGER PRIMARY KEY, body BLOB)");
    }
    ~Database() { sqlite3_close(db_); }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    // The first failure stays: later calls do nothing.
    bool exec(const std::string& sql) {
        if (code_ == SQLITE_OK) code_ = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
        return code_ == SQLITE_OK;
    }
    bool insert(int id) {
        return exec("INSERT INTO rows VALUES(" + std::to_string(id) + ", printf('%0900d', " +
                    std::to_string(id) + "))");
    }
    int code() const { return code_; }

  private:
    sqlite3* db_ = nullptr;
    int code_ = SQLITE_OK;
};

// Ids of the rows, in order; {-1} if the database is damaged.
std::vector<int> rows_of(const std::string& file) {
    sqlite3* db = nullptr;
    sqlite3_open(file.c_str(), &db);
    std::vector<int> ids;
    const auto collect = [](void* out, int, char** values, char**) {
        static_cast<std::vector<int>*>(out)->push_back(
            std::string(values[0]) == "ok" ? 0 : std::atoi(values[0]));
        return 0;
    };
    bool good = sqlite3_exec(db, "PRAGMA integrity_check", collect, &ids, nullptr) == SQLITE_OK &&
                ids == std::vector<int>{0};
    ids.clear();
    const int code = sqlite3_exec(db, "SELECT id FROM rows ORDER BY id", collect, &ids, nullptr);
    // No table: nothing was ever committed.
    good = good && (code == SQLITE_OK || code == SQLITE_ERROR);
    sqlite3_close(db);
    return good ? ids : std::vector<int>{-1};
}

class FaultLayer : public testing::Test {
  protected:
    static void SetUpTestSuite() { install_fault_vfs(); }
    void SetUp() override {
        std::string name = std::filesystem::canonical(testing::TempDir()) / "rpt_fault_XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    void TearDown() override {
        gate().disarm();
        std::filesystem::remove_all(folder_);
    }
    // A fresh folder for a database.
    std::string fresh(const std::string& name) const {
        std::filesystem::remove_all(folder_ + "/" + name);
        std::filesystem::create_directory(folder_ + "/" + name);
        return folder_ + "/" + name;
    }

    std::string folder_;
};

}  // namespace

TEST_F(FaultLayer, every_operation_of_sqlite_is_counted) {
    const std::string file = fresh("db") + "/a.sqlite";
    const Armed counting({.ops = kSqlFiles});
    {
        Database db(file, "FULL");
        for (int i = 0; i < 20; ++i) ASSERT_TRUE(db.insert(i));
        ASSERT_TRUE(db.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
    }
    for (uint32_t op = 0; (only(static_cast<Op>(op)) & kSqlFiles) != 0; ++op)
        EXPECT_GT(gate().count(static_cast<Op>(op)), 0u) << name_of(static_cast<Op>(op));
    EXPECT_GT(gate().count(Op::kSqlMalloc), 0u);
    EXPECT_EQ(gate().fired(), 0u);
}

TEST_F(FaultLayer, nth_fault_of_sqlite_is_seen_and_harms_nothing) {
    const std::vector<std::pair<Op, std::vector<int>>> kinds = {
        {Op::kSqlOpen, {SQLITE_CANTOPEN}},
        {Op::kSqlRead, {SQLITE_IOERR_READ}},
        {Op::kSqlWrite, {SQLITE_IOERR_WRITE}},
        {Op::kSqlTruncate, {SQLITE_IOERR_TRUNCATE}},
        {Op::kSqlSync, {SQLITE_IOERR_FSYNC}},
        {Op::kSqlDelete, {SQLITE_IOERR_DELETE}},
        {Op::kSqlAccess, {SQLITE_IOERR_ACCESS, SQLITE_CANTOPEN}},
        {Op::kSqlSize, {SQLITE_IOERR_FSTAT}},
        {Op::kSqlShmMap, {SQLITE_IOERR_SHMMAP, SQLITE_CANTOPEN}},
        {Op::kSqlMalloc, {SQLITE_NOMEM, SQLITE_IOERR_NOMEM, SQLITE_CANTOPEN}},
    };
    for (const auto& [op, codes] : kinds) {
        for (const bool persistent : {false, true}) {
            uint64_t points = 0, seen = 0;
            for (uint64_t n = 1;; n += 1 + n / 8) {
                const std::string file = fresh("db") + "/a.sqlite";
                std::vector<int> committed;
                gate().arm({.ops = only(op), .n = n, .persistent = persistent});
                int code = SQLITE_OK;
                bool fired = false;
                {
                    Database db(file, "FULL");
                    for (int i = 1; i <= 16 && db.insert(i); ++i) committed.push_back(i);
                    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
                    code = db.code();
                    fired = gate().fired() > 0;
                }
                gate().disarm();
                if (!fired) {
                    EXPECT_EQ(code, SQLITE_OK);
                    EXPECT_EQ(committed.size(), 16u);
                    break;
                }
                ++points;
                seen += code != SQLITE_OK;
                if (code != SQLITE_OK) {
                    EXPECT_TRUE(std::find(codes.begin(), codes.end(), code) != codes.end())
                        << name_of(op) << " " << n << " gives " << code;
                }
                std::vector<int> rows = rows_of(file);
                // A commit that failed in its sync may be there all the same.
                if (rows.size() == committed.size() + 1) committed.push_back(rows.back());
                EXPECT_EQ(rows, committed) << name_of(op) << " " << n;
            }
            std::printf("[  points  ] %s%s: %d faults, %d seen\n", name_of(op),
                        persistent ? " from then on" : "", int(points), int(seen));
            EXPECT_GT(points, 0u) << name_of(op);
            EXPECT_GT(seen, 0u) << name_of(op);
        }
    }
}

TEST_F(FaultLayer, fault_happens_once_or_from_then_on) {
    const std::string file = fresh("db") + "/a.sqlite";
    for (const bool persistent : {false, true}) {
        Database db(file, "FULL");
        Database other(file, "FULL");
        ASSERT_EQ(other.code(), SQLITE_OK);
        const Armed armed({.ops = only(Op::kSqlWrite), .n = 2, .persistent = persistent});
        EXPECT_FALSE(db.insert(persistent ? 100 : 1));
        EXPECT_EQ(db.code(), SQLITE_IOERR_WRITE);
        EXPECT_EQ(other.insert(persistent ? 200 : 2), !persistent);
    }
    EXPECT_EQ(rows_of(file), std::vector<int>{2});
}

TEST_F(FaultLayer, full_disk_is_told_from_a_broken_one) {
    const std::string file = fresh("db") + "/a.sqlite";
    Database db(file, "FULL");
    const Armed armed({.ops = only(Op::kSqlWrite), .n = 1, .cause = Cause::kNoSpace});
    EXPECT_FALSE(db.insert(1));
    EXPECT_EQ(db.code(), SQLITE_FULL);
}

TEST_F(FaultLayer, failed_write_leaves_half_of_its_bytes) {
    const std::string file = fresh("db") + "/a.sqlite";
    Database db(file, "FULL");
    ASSERT_TRUE(db.insert(1));
    const auto before = std::filesystem::file_size(file + "-wal");
    {
        const Armed armed({.ops = only(Op::kSqlWrite), .n = 2});  // the frame's page
        EXPECT_FALSE(db.insert(2));
    }
    const auto written = std::filesystem::file_size(file + "-wal") - before;
    EXPECT_EQ(written, 24u + 2048u);
}

TEST_F(FaultLayer, other_threads_pass_where_asked) {
    const Armed armed({.ops = only(Op::kNew), .n = 1, .persistent = true, .this_thread = true});
    bool other_passed = false;
    ::pthread_t thread{};
    ASSERT_EQ(::pthread_create(
                  &thread, nullptr,
                  [](void* passed) -> void* {
                      delete new int(1);
                      *static_cast<bool*>(passed) = true;
                      return nullptr;
                  },
                  &other_passed),
              0);
    ::pthread_join(thread, nullptr);
    bool failed = false;
    try {
        std::string text(1000, 'x');
        if (text.empty()) std::abort();
    } catch (const std::bad_alloc&) {
        failed = true;
    }
    gate().disarm();
    EXPECT_TRUE(other_passed);
    EXPECT_TRUE(failed);
}

TEST_F(FaultLayer, atomic_file_keeps_old_content_at_every_fault) {
    const std::string file = folder_ + "/a";
    for (const bool persistent : {false, true}) {
        for (const Cause cause : {Cause::kIo, Cause::kNoSpace}) {
            uint64_t points = 0;
            for (uint64_t n = 1;; ++n) {
                write_bytes(file, "old");
                gate().arm({.ops = kOwnFiles & ~only(Op::kUnlink),
                            .n = n,
                            .persistent = persistent,
                            .cause = cause});
                const Status status = status_of([&] {
                    AtomicFile target(file);
                    target.write("new", 3);
                    target.commit();
                });
                gate().disarm();
                if (gate().fired() == 0) {
                    EXPECT_EQ(status, Status::kOk);
                    EXPECT_EQ(read_bytes(file), "new");
                    break;
                }
                ++points;
                EXPECT_EQ(status, cause == Cause::kIo ? Status::kIo : Status::kNoSpace)
                    << gate().describe();
                // open, write, fsync, rename; then the folder, when the new bytes are there.
                EXPECT_EQ(read_bytes(file), points <= 4 ? "old" : "new") << gate().describe();
                const auto files = std::filesystem::directory_iterator(folder_);
                EXPECT_EQ(std::distance(begin(files), end(files)), 1) << gate().describe();
            }
            EXPECT_EQ(points, 6u);
        }
    }
}

TEST_F(FaultLayer, atomic_file_goes_on_after_a_short_write) {
    const Armed armed({.ops = only(Op::kWrite), .n = 1, .cause = Cause::kShort});
    AtomicFile target(folder_ + "/a");
    target.write("0123456789", 10);
    target.commit();
    EXPECT_EQ(gate().count(Op::kWrite), 2u);
    EXPECT_EQ(read_bytes(folder_ + "/a"), "0123456789");
}

TEST_F(FaultLayer, files_and_locks_tell_their_faults) {
    write_bytes(folder_ + "/a", "content");
    for (const Op op : {Op::kOpen, Op::kLook, Op::kMap}) {
        const Armed armed({.ops = only(op), .n = 1});
        EXPECT_EQ(status_of([&] { MappedFile file(folder_ + "/a"); }), Status::kIo) << name_of(op);
        EXPECT_EQ(gate().fired(), 1u) << name_of(op);
    }
    for (const Op op : {Op::kOpen, Op::kLook, Op::kRead}) {
        const Armed armed({.ops = only(op), .n = 1});
        EXPECT_EQ(status_of([&] { FileBytes file(folder_ + "/a"); }), Status::kIo) << name_of(op);
        EXPECT_EQ(gate().fired(), 1u) << name_of(op);
    }
    {
        const Armed armed({.ops = only(Op::kRead), .n = 1, .cause = Cause::kShort});
        const FileBytes file(folder_ + "/a");
        EXPECT_EQ(
            std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()),
            "content");
        EXPECT_EQ(gate().fired(), 1u);
    }
    for (const Op op : {Op::kOpen, Op::kLock, Op::kWrite, Op::kTruncate}) {
        const Armed armed({.ops = only(op), .n = 1});
        EXPECT_EQ(status_of([&] {
                      FileLock lock(folder_ + "/lock", true);
                      lock.try_lock(0, FileLock::Mode::kExclusive);
                      lock.write_note("note");
                  }),
                  Status::kIo)
            << name_of(op);
    }
    FileLock lock(folder_ + "/a", false);
    const Armed armed({.ops = only(Op::kRead), .n = 1});
    EXPECT_EQ(lock.read_note(), "");
    EXPECT_EQ(lock.read_note(), "content");
}

namespace {

struct CutRun {
    int lost = 0, damaged = 0;
    uint64_t events = 0;
};

// Commits rows with the power going at a moment of each seed's own; counts the disks that lack a
// committed row and those that are damaged.
CutRun cut_database(const std::string& folder, const std::string& synchronous, uint64_t seeds) {
    CutRun run;
    const std::string root = folder + "/root", file = root + "/a.sqlite";
    uint64_t events = 0;
    for (uint64_t seed = 0; seed <= seeds; ++seed) {
        std::filesystem::remove_all(root);
        std::filesystem::create_directory(root);
        std::vector<int> committed;
        {
            PowerCut power(root);
            {
                // The first run tells how many moments there are.
                if (seed > 0) power.stop_at(1 + seed * 7919 % events);
                Database db(file, synchronous);
                for (int i = 1; i <= 40; ++i) {
                    EXPECT_TRUE(db.insert(i));
                    if (!power.stopped()) committed.push_back(i);
                }
                if (seed == 0) events = power.events();
                if (seed > 0) power.cut(seed, folder + "/disk");
            }
        }
        if (seed == 0) continue;
        const std::vector<int> rows = rows_of(folder + "/disk/a.sqlite");
        bool good = true;  // 1, 2, ... without a gap; {-1} is damage
        for (size_t i = 0; i < rows.size(); ++i) good &= rows[i] == int(i) + 1;
        run.damaged += !good;
        run.lost += good && rows.size() < committed.size();
    }
    run.events = events;
    return run;
}

}  // namespace

TEST_F(FaultLayer, power_cut_never_takes_a_synced_commit) {
    const CutRun run = cut_database(folder_, "FULL", 200);
    EXPECT_EQ(run.lost, 0);
    EXPECT_EQ(run.damaged, 0);
    EXPECT_GT(run.events, 100u);
}

// Without these the test above could pass for want of a real cut.
TEST_F(FaultLayer, power_cut_takes_what_was_not_synced) {
    const CutRun none = cut_database(folder_, "OFF", 200);
    std::printf("[   cuts   ] OFF: %d lost, %d damaged of 200\n", none.lost, none.damaged);
    EXPECT_GT(none.lost, 0);
    EXPECT_GT(none.damaged, 0);
    // The log is synced at checkpoints only: commits go, the database stays whole.
    const CutRun normal = cut_database(folder_, "NORMAL", 200);
    std::printf("[   cuts   ] NORMAL: %d lost, %d damaged of 200\n", normal.lost, normal.damaged);
    EXPECT_GT(normal.lost, 0);
    EXPECT_EQ(normal.damaged, 0);
}

TEST_F(FaultLayer, power_cut_leaves_atomic_file_old_or_new) {
    const std::string root = fresh("root"), file = root + "/a";
    const std::string old_bytes(3000, 'o'), new_bytes(5000, 'n');
    // AtomicFile, and a careless twin that does not sync: the twin must be caught.
    for (const bool careful : {true, false}) {
        int olds = 0, news = 0, others = 0;
        for (uint64_t n = 1; n <= 12; ++n) {
            fresh("root");
            write_bytes(file, old_bytes);
            PowerCut power(root);
            power.stop_at(n);
            if (careful) {
                AtomicFile target(file);
                target.write(new_bytes.data(), new_bytes.size());
                target.commit();
            } else {
                const int fd = ::open((file + ".tmp").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
                ASSERT_EQ(::write(fd, new_bytes.data(), new_bytes.size()), 5000);
                ::close(fd);
                ASSERT_EQ(::rename((file + ".tmp").c_str(), file.c_str()), 0);
            }
            const bool returned = !power.stopped();
            for (uint64_t seed = 1; seed <= 40; ++seed) {
                power.cut(seed, folder_ + "/disk");
                const std::string got = read_bytes(folder_ + "/disk/a");
                olds += got == old_bytes;
                news += got == new_bytes;
                others += got != old_bytes && got != new_bytes;
                if (careful && returned) {
                    EXPECT_EQ(got, new_bytes);
                }
            }
        }
        EXPECT_GT(olds, 0);
        EXPECT_GT(news, 0);
        if (careful) {
            EXPECT_EQ(others, 0);
        } else {
            EXPECT_GT(others, 0);
        }
    }
}

TEST_F(FaultLayer, power_cut_is_the_same_for_the_same_seed) {
    const std::string root = fresh("root");
    PowerCut power(root);
    Database db(root + "/a.sqlite", "OFF");
    for (int i = 1; i <= 20; ++i) ASSERT_TRUE(db.insert(i));
    EXPECT_GT(power.unsynced(), 0u);
    bool differ = false;
    for (uint64_t seed = 1; seed <= 10; ++seed) {
        power.cut(seed, folder_ + "/one");
        power.cut(seed, folder_ + "/two");
        power.cut(seed + 100, folder_ + "/three");
        for (const char* name : {"/a.sqlite", "/a.sqlite-wal"}) {
            EXPECT_EQ(read_bytes(folder_ + "/one" + name), read_bytes(folder_ + "/two" + name));
            differ |= read_bytes(folder_ + "/one" + name) != read_bytes(folder_ + "/three" + name);
        }
    }
    EXPECT_TRUE(differ);
}

}  // namespace rpt::fault
