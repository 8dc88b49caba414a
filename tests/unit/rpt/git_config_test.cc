#include "apps/rpt/git_config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

class git_config : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "git_config_XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
    }
    void TearDown() override { fs::remove_all(folder_); }

    std::string read(const std::string& text, const std::string& name = "core.excludesfile") {
        write("config", text);
        GitConfig config("/src/one/.git");
        config.add_file(folder_ / "config");
        const std::string* value = config.find(name);
        return value == nullptr ? "(none)" : *value;
    }
    void write(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name) << text;
    }

    fs::path folder_;
};

TEST_F(git_config, values_are_read_as_git_reads_them) {
    EXPECT_EQ(read("[core]\n\texcludesFile = ~/x\n"), "~/x");
    EXPECT_EQ(read("[CORE]EXCLUDESFILE=a b  ; note\n"), "a b");
    EXPECT_EQ(read("[core]\nexcludesfile = \"a # b \" # note"), "a # b ");
    EXPECT_EQ(read("[core]\nexcludesfile = a\\\nb\\tc\r\n"), "ab\tc");
    EXPECT_EQ(read("[core]\nexcludesfile"), "true");
    EXPECT_EQ(read("[core]\nexcludesfile = a\nexcludesfile = b\n"), "b");
    EXPECT_EQ(read("[core \"x\"]\nexcludesfile = a\n"), "(none)");
    EXPECT_EQ(read("[a \"B\\\"c\"]\nkey = v\n", "a.B\"c.key"), "v");
}

TEST_F(git_config, what_stands_behind_a_broken_line_does_not_count) {
    EXPECT_EQ(read("[core]\nexcludesfile = a\n?\nexcludesfile = b\n"), "a");
    EXPECT_EQ(read("[core]\nexcludesfile = \"a\n"), "(none)");
    EXPECT_EQ(read("excludesfile = a\n"), "(none)");
}

TEST_F(git_config, included_files_count_where_they_stand) {
    write("more", "[core]\nexcludesfile = inner\n");
    EXPECT_EQ(read("[include]\npath = more\n"), "inner");
    EXPECT_EQ(read("[include]\npath = more\n[core]\nexcludesfile = outer\n"), "outer");
    EXPECT_EQ(read("[includeIf \"gitdir:/src/one/\"]\npath = more\n"), "inner");
    EXPECT_EQ(read("[includeIf \"gitdir:one/\"]\npath = more\n"), "inner");
    EXPECT_EQ(read("[includeIf \"gitdir:/src/two/\"]\npath = more\n"), "(none)");
    EXPECT_EQ(read("[includeIf \"gitdir/i:/SRC/\"]\npath = more\n"), "inner");
    write("more", "[include]\npath = config\n");  // a circle
    EXPECT_EQ(read("[include]\npath = more\n[core]\nexcludesfile = a\n"), "a");
}

}  // namespace
}  // namespace rpt::cli
