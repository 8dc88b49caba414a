#include "apps/rpt/glob_pattern.h"

#include <gtest/gtest.h>

namespace rpt::cli {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
    return GlobPattern(pattern).matches(text);
}

TEST(glob_pattern, double_star_stands_for_any_folders) {
    EXPECT_TRUE(matches("**/foo", "foo"));
    EXPECT_TRUE(matches("**/foo", "a/b/foo"));
    EXPECT_FALSE(matches("**/foo", "a/xfoo"));
    EXPECT_TRUE(matches("a/**/b", "a/b"));
    EXPECT_TRUE(matches("a/**/b", "a/x/y/b"));
    EXPECT_FALSE(matches("a/**/b", "a/xb"));
    EXPECT_TRUE(matches("abc/**", "abc/x/y"));
    EXPECT_FALSE(matches("abc/**", "abc"));
    EXPECT_TRUE(matches("***/b", "a/b"));
    EXPECT_TRUE(matches("**/**/b", "b"));
}

TEST(glob_pattern, double_star_within_a_name_is_a_star) {
    EXPECT_TRUE(matches("a**b", "axxb"));
    EXPECT_FALSE(matches("a**b", "ax/xb"));
    EXPECT_FALSE(matches("x/**b", "x/y/b"));
}

TEST(glob_pattern, star_and_question_mark_stay_inside_a_name) {
    EXPECT_TRUE(matches("a/*/c", "a/b/c"));
    EXPECT_FALSE(matches("a/*/c", "a/b/b/c"));
    EXPECT_FALSE(matches("a?c", "a/c"));
    EXPECT_TRUE(matches("*", ""));
    EXPECT_TRUE(matches("a*", "a"));
    EXPECT_FALSE(matches("a", "ab"));
    EXPECT_FALSE(matches("ab", "a"));
}

TEST(glob_pattern, question_mark_is_one_byte) {
    EXPECT_FALSE(matches("caf?", "caf\xc3\xa9"));
    EXPECT_TRUE(matches("caf??", "caf\xc3\xa9"));
    EXPECT_TRUE(matches("caf?", "caf\xe9"));
}

TEST(glob_pattern, classes_match_one_byte) {
    EXPECT_TRUE(matches("*.[oa]", "x.a"));
    EXPECT_FALSE(matches("*.[oa]", "x.c"));
    EXPECT_TRUE(matches("[a-c]x", "bx"));
    EXPECT_FALSE(matches("[!a-c]x", "bx"));
    EXPECT_TRUE(matches("[^a-c]x", "dx"));
    EXPECT_TRUE(matches("[]]", "]"));
    EXPECT_TRUE(matches("[a-]", "-"));
    EXPECT_FALSE(matches("[!a]", "/"));
    EXPECT_FALSE(matches("[z-a]", "m"));
    EXPECT_TRUE(matches("[\\]a]", "]"));
    EXPECT_TRUE(matches("[a-c-e]", "-"));
}

TEST(glob_pattern, named_classes_are_those_of_ascii) {
    EXPECT_TRUE(matches("[[:digit:]]*.log", "7z.log"));
    EXPECT_FALSE(matches("[[:alpha:]]", "\xe9"));
    EXPECT_TRUE(matches("[[:upper:]x]", "x"));
    EXPECT_TRUE(matches("[![:space:]]", "a"));
    EXPECT_TRUE(matches("[[:xdigit:]]", "F"));
    EXPECT_TRUE(matches("[[:punct:]]", "~"));
    EXPECT_FALSE(matches("[[:graph:]]", " "));
    EXPECT_TRUE(matches("[[:a]", ":"));  // no name: a set of its bytes
}

TEST(glob_pattern, what_is_not_whole_matches_nothing) {
    for (const char* pattern : {"[x", "[", "a\\", "[[:no:]]", "[[:alpha:", "*[a"}) {
        EXPECT_FALSE(matches(pattern, pattern)) << pattern;
        EXPECT_FALSE(matches(pattern, "a")) << pattern;
    }
}

}  // namespace
}  // namespace rpt::cli
