// Bad machines for a store: no room, no permission, dead writers. Every case ends in a status; none
// in an abort or in a wrong answer.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/file_lock.h"
#include "tests/fault/store_fault.h"

namespace rpt::storage {

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
                    Edit edit;
                    edit.first = static_cast<uint64_t>(i);
                    edit.segments = {make_segment(numbers, 1)};
                    growing->commit(edit);
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
                  replacing->commit(unfinished(make_document(numbers, 9)));
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

// A pause of the child: it ends when the write end of the pipe is closed.
TEST_F(StoreFault, child_that_lives_keeps_no_lock_that_its_parent_gave_up) {
    auto store = open();
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[1]);
        char byte;
        ::_exit(static_cast<int>(::read(ends[0], &byte, 1)));
    }
    ::close(ends[0]);
    store->close();
    EXPECT_EQ(status_of([&] { open()->close(); }), Status::kOk);
    auto reader = open_reader();
    reader->close();
    EXPECT_EQ(status_of([&] { Store::destroy(path_); }), Status::kOk);
    ::close(ends[1]);
    ::waitpid(child, nullptr, 0);
}

TEST_F(StoreFault, child_that_frees_an_inherited_lock_leaves_it_to_its_parent) {
    std::filesystem::create_directory(path_);
    auto lock = std::make_unique<FileLock>(path_ + "/lock", true);
    ASSERT_TRUE(lock->try_lock(7, FileLock::Mode::kExclusive));
    EXPECT_EQ(in_child([&] {
                  lock.reset();
                  return 0;
              }),
              0);
    FileLock other(path_ + "/lock", false);
    EXPECT_FALSE(other.try_lock(7, FileLock::Mode::kShared));
    lock.reset();
    EXPECT_TRUE(other.try_lock(7, FileLock::Mode::kShared));
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

// Another user's writer comes while a reader without rights has the store open, and goes again.
TEST_F(StoreFault, reader_without_rights_follows_a_writer_that_comes_and_goes) {
    fill();
    for (const char* name : {"", "/index"}) ::chmod((path_ + name).c_str(), 0555);
    for (const char* name : {"/store.sqlite", "/lock"}) ::chmod((path_ + name).c_str(), 0444);
    ::chmod(folder_.c_str(), 0755);
    if (::geteuid() != 0) GTEST_SKIP() << "needs two users";
    int asks[2], answers[2];
    ASSERT_EQ(::pipe(asks), 0);
    ASSERT_EQ(::pipe(answers), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(asks[1]);
        int failures = 9;
        try {
            if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(98);
            auto store = open_reader();
            auto space = store->open_space("o", "c", false);
            failures = 0;
            char expected = 24;
            do {
                const auto n = find(*store, space, std::vector<float>(kDim, 1), 999).size();
                if (n != size_t(expected)) ++failures;
                if (::write(answers[1], &expected, 1) != 1) break;
            } while (::read(asks[0], &expected, 1) == 1);
        } catch (...) {
            failures = 10;
        }
        ::_exit(failures);
    }
    ::close(asks[0]);
    ::close(answers[1]);
    const auto ask = [&](char expected) {
        char answer = 0;
        EXPECT_EQ(::write(asks[1], &expected, 1), 1);
        EXPECT_EQ(::read(answers[0], &answer, 1), 1);
    };
    char first = 0;
    EXPECT_EQ(::read(answers[0], &first, 1), 1);
    Numbers numbers(5);
    auto writer = Store::open(path_, options(false));
    auto space = writer->open_space("o", "c", false);
    add(*space, "more", make_document(numbers, 6));
    ask(30);
    add(*space, "again", make_document(numbers, 3));
    ask(33);
    writer->close();
    ask(33);
    writer = Store::open(path_, options(false));
    writer->open_space("o", "c", false)->delete_document("more");
    ask(27);
    writer->close();
    ask(27);
    ::close(asks[1]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
    ::chmod(path_.c_str(), 0755);
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
            const Edit edit = make_document(numbers, 2000);
            rlimit limit{};
            ::getrlimit(RLIMIT_FSIZE, &limit);
            const rlim_t before = limit.rlim_cur;
            limit.rlim_cur = room;
            ::setrlimit(RLIMIT_FSIZE, &limit);
            const Status status = status_of([&] { writer->commit(edit); });
            if (status != Status::kNoSpace) return 10 - static_cast<int>(status);
            if (space->find_document("large") || writer->info().bytes != 0) return 2;
            if (find(*store, space, std::vector<float>(kDim, 1), 99).size() != 24) return 3;
            limit.rlim_cur = before;
            ::setrlimit(RLIMIT_FSIZE, &limit);
            writer->commit(edit);
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

}  // namespace rpt::storage
