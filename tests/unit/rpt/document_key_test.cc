#include "apps/rpt/document_key.h"

#include <gtest/gtest.h>

#include <random>

namespace rpt::cli {
namespace {

TEST(document_key, plain_paths_are_their_own_names) {
    for (const char* path :
         {"d/a.txt", "a%20b", "caf\xc3\xa9.txt", "100%", "/x/y z", "\xe2\x82\xac"}) {
        EXPECT_EQ(name_of_path(path), path);
        EXPECT_EQ(path_of_name(path), path);
    }
}

TEST(document_key, odd_bytes_are_escaped) {
    EXPECT_EQ(name_of_path("d/caf\xe9.txt"), "escaped:d/caf%E9.txt");
    EXPECT_EQ(name_of_path("a\nb%"), "escaped:a%0Ab%25");
    EXPECT_EQ(name_of_path("a\xc2\x85"), "escaped:a%C2%85");  // a control of two bytes
    EXPECT_EQ(name_of_path("escaped:a"), "escaped:escaped:a");
}

TEST(document_key, every_name_stands_for_one_path) {
    std::mt19937 random(3);
    const std::string pieces[] = {"a",        "%",  "4", "1",        "E",        "9",   "\xe9",
                                  "\xc3\xa9", "\n", "/", "escaped:", "\xc2\x90", "\x7f"};
    for (int round = 0; round < 20000; ++round) {
        std::string path;
        for (size_t i = random() % 8; i < 8; ++i) path += pieces[random() % std::size(pieces)];
        EXPECT_EQ(path_of_name(name_of_path(path)).native(), path);
    }
}

TEST(document_key, path_forms_are_what_one_types_from_other_folders) {
    const std::filesystem::path file = "/home/x/d/a.txt";
    for (const char* given :
         {"a.txt", "d/a.txt", "../d/a.txt", "../../x/d/a.txt", "/home/x/d/a.txt"})
        EXPECT_TRUE(is_path_form(given, file)) << given;
    for (const char* given : {"b.txt", ".txt", "e/a.txt", "log", "", "../"})
        EXPECT_FALSE(is_path_form(given, file)) << given;
}

}  // namespace
}  // namespace rpt::cli
