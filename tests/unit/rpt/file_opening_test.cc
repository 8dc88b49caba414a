#include "apps/rpt/file_opening.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

class file_opening : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "file_opening_XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        fs::create_directories(folder_ / "d/sub");
        std::ofstream(folder_ / "d/sub/a") << "text";
        fs::create_symlink("sub", folder_ / "d/link");
        fs::create_symlink("a", folder_ / "d/sub/to_a");
        mkfifo((folder_ / "d/pipe").c_str(), 0600);
    }
    void TearDown() override { fs::remove_all(folder_); }

    std::string problem(const fs::path& below) { return open_file({folder_ / "d", below}).problem; }
    fs::path folder_;
};

TEST_F(file_opening, regular_files_are_opened) {
    const Opened file = open_file({folder_ / "d", "sub/a"});
    ASSERT_TRUE(file.fd);
    EXPECT_EQ(file.facts.st_size, 4);
    EXPECT_EQ(FileStamp::of(file.facts), FileStamp::of(FilePlace{folder_ / "d/sub/a", {}}));
}

TEST_F(file_opening, links_are_followed_as_far_as_a_person_named_them) {
    EXPECT_EQ(problem("link/a"), "Not a directory");
    EXPECT_EQ(problem("sub/to_a"), "a symbolic link");
    EXPECT_TRUE(open_file({folder_ / "d/sub/to_a", {}}).fd);
    EXPECT_TRUE(open_file({folder_ / "d/link", "a"}).fd);
}

TEST_F(file_opening, a_pipe_is_refused_without_waiting) {
    EXPECT_EQ(problem("pipe"), "not a regular file");
    EXPECT_EQ(open_file({folder_ / "d/pipe", {}}).problem, "not a regular file");
    EXPECT_EQ(open_file({"/dev/null", {}}).problem, "not a regular file");
    EXPECT_EQ(problem("sub"), "a directory");
    EXPECT_EQ(open_file({folder_ / "none", {}}).error, ENOENT);
}

TEST_F(file_opening, small_files_are_read_whole_or_not_at_all) {
    const auto read = [&](const char* name, size_t limit, std::string& why) {
        return read_small_file(AT_FDCWD, (folder_ / "d" / name).native(), false, limit, why);
    };
    std::string why;
    EXPECT_EQ(read("sub/a", 4, why), "text");
    EXPECT_EQ(read("none", 4, why), std::nullopt);
    EXPECT_EQ(why, "");
    EXPECT_EQ(read("sub/a", 3, why), std::nullopt);
    EXPECT_EQ(why, "larger than 3 bytes");
    EXPECT_EQ(read("pipe", 4, why), std::nullopt);
    EXPECT_EQ(why, "not a regular file");
    EXPECT_EQ(read("sub/to_a", 4, why), std::nullopt);
    EXPECT_EQ(why, "a symbolic link");
}

}  // namespace
}  // namespace rpt::cli
