#include "apps/rpt/ignore_rules.h"

#include <gtest/gtest.h>

namespace rpt::cli {
namespace {

bool ignored(const std::string& content, const std::string& path, bool is_folder = false) {
    IgnoreRules rules;
    rules.add_file("", content);
    return rules.ignores(path, is_folder);
}

TEST(ignore_rules, name_matches_at_any_depth) {
    EXPECT_TRUE(ignored("*.o\n", "a.o"));
    EXPECT_TRUE(ignored("*.o\n", "deep/down/a.o"));
    EXPECT_FALSE(ignored("*.o\n", "a.obj"));
    EXPECT_FALSE(ignored("*.o\n", "a.o/b"));
}

TEST(ignore_rules, comments_blank_lines_and_spaces_count_as_in_git) {
    EXPECT_FALSE(ignored("# a\n\n   \n", "a"));
    EXPECT_FALSE(ignored("#a\n", "#a"));
    EXPECT_TRUE(ignored("\\#a\n", "#a"));
    EXPECT_TRUE(ignored("\\!a\n", "!a"));
    EXPECT_TRUE(ignored("a  \n", "a"));
    EXPECT_TRUE(ignored("a\\ \n", "a "));
    EXPECT_TRUE(ignored("a\r\n", "a"));
    EXPECT_TRUE(
        ignored("\xEF\xBB\xBF"
                "a\n",
                "a"));
    EXPECT_TRUE(ignored("a", "a"));  // no line end at the end
}

TEST(ignore_rules, slash_in_front_or_middle_anchors) {
    EXPECT_TRUE(ignored("/build\n", "build", true));
    EXPECT_FALSE(ignored("/build\n", "src/build", true));
    EXPECT_TRUE(ignored("doc/frotz\n", "doc/frotz"));
    EXPECT_FALSE(ignored("doc/frotz\n", "a/doc/frotz"));
    EXPECT_TRUE(ignored("frotz/\n", "a/frotz", true));
}

TEST(ignore_rules, slash_at_the_end_means_folders) {
    EXPECT_TRUE(ignored("out/\n", "out", true));
    EXPECT_FALSE(ignored("out/\n", "out", false));
}

TEST(ignore_rules, later_rule_wins_and_negation_brings_back) {
    EXPECT_FALSE(ignored("*.txt\n!keep.txt\n", "keep.txt"));
    EXPECT_TRUE(ignored("*.txt\n!keep.txt\n", "other.txt"));
    EXPECT_TRUE(ignored("!keep.txt\n*.txt\n", "keep.txt"));
}

TEST(ignore_rules, deeper_file_beats_the_one_above) {
    IgnoreRules rules;
    rules.add_file("", "*.log\n/top\n");
    rules.add_file("sub", "!a.log\n/here\n");
    EXPECT_TRUE(rules.ignores("a.log", false));
    EXPECT_FALSE(rules.ignores("sub/a.log", false));
    EXPECT_FALSE(rules.ignores("sub/x/a.log", false));
    EXPECT_TRUE(rules.ignores("sub/b.log", false));
    EXPECT_TRUE(rules.ignores("sub/here", false));
    EXPECT_FALSE(rules.ignores("here", false));
    EXPECT_FALSE(rules.ignores("subway/a", false));
    EXPECT_FALSE(rules.ignores("sub/top", false));
}

TEST(ignore_rules, rules_of_a_folder_go_when_the_walk_leaves_it) {
    IgnoreRules rules;
    rules.add_file("", "*.log\n");
    const size_t above = rules.size();
    rules.add_file("sub", "!*.log\n");
    EXPECT_FALSE(rules.ignores("sub/a.log", false));
    rules.shrink_to(above);
    EXPECT_TRUE(rules.ignores("sub/a.log", false));
}

TEST(ignore_rules, odd_lines_mean_what_they_mean_for_git) {
    EXPECT_FALSE(ignored("a\t\n", "a"));  // a tab belongs to the name
    EXPECT_FALSE(ignored("a\\\n", "a"));  // a backslash takes nothing
    EXPECT_FALSE(ignored("/\n!\n!/\n//\n", "a", true));
    EXPECT_FALSE(ignored("./a\n", "a"));
    EXPECT_TRUE(ignored(std::string("a\0b\n", 4), "a"));  // a line of C
    EXPECT_TRUE(ignored("\r\n#\n\na\n", "a"));
}

TEST(ignore_rules, many_stars_take_no_longer_than_few) {
    std::string stars, folders;
    for (int i = 0; i < 200; ++i) stars += "*a", folders += "**/a*/";
    IgnoreRules rules;
    rules.add_file("", stars + "b\n" + folders + "b\n");
    std::string deep;
    for (int i = 0; i < 400; ++i) deep += "aa/";
    EXPECT_FALSE(rules.ignores(std::string(1000, 'a'), false));
    EXPECT_FALSE(rules.ignores(deep + "c", false));
    EXPECT_TRUE(rules.ignores(deep + "b", false));
}

}  // namespace
}  // namespace rpt::cli
