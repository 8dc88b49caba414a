#include "base/file_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

namespace rpt {

TEST(FileLock, excludes_a_second_holder_until_the_first_ends) {
    const std::string path = testing::TempDir() + "rpt_lock_" + std::to_string(::getpid());
    {
        FileLock first(path, true), second(path, true);
        EXPECT_TRUE(first.try_lock(0, FileLock::Mode::kExclusive));
        EXPECT_FALSE(second.try_lock(0, FileLock::Mode::kExclusive));
        EXPECT_TRUE(second.try_lock(1, FileLock::Mode::kShared));
        EXPECT_TRUE(first.try_lock(1, FileLock::Mode::kShared));
        first.write_note("me");
        EXPECT_EQ(second.read_note(), "me");
    }
    FileLock third(path, true);
    EXPECT_TRUE(third.try_lock(0, FileLock::Mode::kExclusive));
    std::filesystem::remove(path);
}

TEST(FileLock, is_free_at_once_when_its_holder_died) {
    const std::string path = testing::TempDir() + "rpt_lock_dead_" + std::to_string(::getpid());
    const pid_t child = ::fork();
    if (child == 0) {
        FileLock lock(path, true);
        ::_exit(lock.try_lock(0, FileLock::Mode::kExclusive) ? 7 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(WEXITSTATUS(status), 7);
    FileLock lock(path, true);
    EXPECT_TRUE(lock.try_lock(0, FileLock::Mode::kExclusive));
    std::filesystem::remove(path);
}

}  // namespace rpt
