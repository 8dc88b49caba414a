#include "base/file_bytes.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string_view>

#include "base/error.h"

namespace rpt {
namespace {

class FileBytesTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "rpt_bytes_XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string put(const std::string& content) const {
        const std::string file = folder_ + "/file";
        std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
        return file;
    }
    static std::string_view text_of(const FileBytes& file) {
        return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
    }
    static Status status_of(const std::string& path,
                            FileBytes::Links links = FileBytes::Links::kFollow) {
        try {
            const FileBytes file(path, links);
        } catch (const Error& error) {
            return error.status();
        }
        return Status::kOk;
    }

    std::string folder_;
};

TEST_F(FileBytesTest, whole_content_of_any_size) {
    for (const size_t size : {size_t(0), size_t(1), size_t(4096), size_t(5 << 20)}) {
        std::string content(size, '\0');
        for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7 + i / 256);
        const FileBytes file(put(content));
        EXPECT_TRUE(text_of(file) == content) << size;
    }
}

TEST_F(FileBytesTest, outlives_whatever_becomes_of_the_file) {
    const std::string content(100000, 'x');
    const std::string path = put(content);
    const FileBytes file(path);
    ASSERT_EQ(::truncate(path.c_str(), 10), 0);
    EXPECT_TRUE(text_of(file) == content);
    std::filesystem::remove(path);
    EXPECT_TRUE(text_of(file) == content);
}

TEST_F(FileBytesTest, what_is_no_file_is_an_error_at_once) {
    EXPECT_EQ(status_of(folder_ + "/nothing"), Status::kNotFound);
    EXPECT_EQ(status_of(folder_), Status::kIo);
    const std::string pipe = folder_ + "/pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_EQ(status_of(pipe), Status::kIo);  // nobody writes: an ordinary open would wait
    EXPECT_EQ(status_of("/dev/null"), Status::kIo);
    const std::string link = folder_ + "/link";
    ASSERT_EQ(::symlink(put("content").c_str(), link.c_str()), 0);
    EXPECT_EQ(status_of(link), Status::kOk);
    EXPECT_EQ(status_of(link, FileBytes::Links::kRefuse), Status::kIo);
}

}  // namespace
}  // namespace rpt
