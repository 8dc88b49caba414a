#include "base/input_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include "base/error.h"

namespace rpt {
namespace {

std::string write_file(const char* name, const std::string& bytes) {
    const std::string path = ::testing::TempDir() + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
}

std::string read(const InputFile& file, uint64_t offset, size_t size) {
    std::string out(size, 0);
    file.read(offset, std::as_writable_bytes(std::span(out)));
    return out;
}

Status status_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.status();
    }
    return Status::kOk;
}

}  // namespace

TEST(InputFile, reads_any_part) {
    const InputFile file(write_file("part", "0123456789"));
    EXPECT_EQ(file.size(), 10u);
    EXPECT_EQ(read(file, 3, 4), "3456");
    EXPECT_EQ(read(file, 0, 10), "0123456789");
    EXPECT_EQ(read(file, 10, 0), "");
    EXPECT_EQ(status_of([&] { read(file, 8, 3); }), Status::kCorrupt);
}

TEST(InputFile, file_that_is_cut_short_while_open_is_an_error_and_no_signal) {
    const std::string path = write_file("cut", std::string(100000, 'x'));
    const InputFile file(path);
    ASSERT_EQ(::truncate(path.c_str(), 5), 0);
    EXPECT_EQ(read(file, 0, 5), "xxxxx");
    EXPECT_EQ(status_of([&] { read(file, 0, 100000); }), Status::kCorrupt);
}

TEST(InputFile, what_is_no_file_is_refused_at_once) {
    EXPECT_EQ(status_of([] { InputFile file(::testing::TempDir() + "none"); }), Status::kNotFound);
    EXPECT_EQ(status_of([] { InputFile file(::testing::TempDir()); }), Status::kIo);
    const std::string pipe = ::testing::TempDir() + "pipe." + std::to_string(::getpid());
    std::filesystem::remove(pipe);
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_EQ(status_of([&] { InputFile file(pipe); }), Status::kIo);  // nobody writes into it
    std::filesystem::remove(pipe);
}

}  // namespace rpt
