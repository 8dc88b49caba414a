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

TEST(ignore_rules, double_star_stands_for_any_folders) {
    EXPECT_TRUE(glob_matches("**/foo", "foo"));
    EXPECT_TRUE(glob_matches("**/foo", "a/b/foo"));
    EXPECT_FALSE(glob_matches("**/foo", "a/xfoo"));
    EXPECT_TRUE(glob_matches("a/**/b", "a/b"));
    EXPECT_TRUE(glob_matches("a/**/b", "a/x/y/b"));
    EXPECT_FALSE(glob_matches("a/**/b", "a/xb"));
    EXPECT_TRUE(glob_matches("abc/**", "abc/x/y"));
    EXPECT_FALSE(glob_matches("abc/**", "abc"));
    EXPECT_TRUE(glob_matches("a**b", "axxb"));
    EXPECT_FALSE(glob_matches("a**b", "ax/xb"));
}

TEST(ignore_rules, star_and_question_mark_stay_inside_a_name) {
    EXPECT_TRUE(glob_matches("a/*/c", "a/b/c"));
    EXPECT_FALSE(glob_matches("a/*/c", "a/b/b/c"));
    EXPECT_FALSE(glob_matches("a?c", "a/c"));
    EXPECT_TRUE(glob_matches("*", ""));
    EXPECT_TRUE(glob_matches("a*", "a"));
    EXPECT_FALSE(glob_matches("a", "ab"));
    EXPECT_FALSE(glob_matches("ab", "a"));
}

TEST(ignore_rules, classes_match_one_character) {
    EXPECT_TRUE(glob_matches("*.[oa]", "x.a"));
    EXPECT_FALSE(glob_matches("*.[oa]", "x.c"));
    EXPECT_TRUE(glob_matches("[a-c]x", "bx"));
    EXPECT_FALSE(glob_matches("[!a-c]x", "bx"));
    EXPECT_TRUE(glob_matches("[^a-c]x", "dx"));
    EXPECT_TRUE(glob_matches("[]]", "]"));
    EXPECT_TRUE(glob_matches("[a-]", "-"));
    EXPECT_TRUE(glob_matches("[x", "[x"));  // not closed: itself
    EXPECT_FALSE(glob_matches("[!a]", "/"));
}

}  // namespace
}  // namespace rpt::cli
