// Which files a person means by the paths on the command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace rpt::cli {

struct FoundFile {
    std::filesystem::path path;
    std::string key;  // the path as it was given, made plain: "./a//b" is "a/b"
    uint64_t size = 0;
    bool named = false;  // stood on the command line itself
};

struct SkippedFile {
    std::string path;
    std::string reason;
};

struct Walk {
    std::vector<FoundFile> files;
    std::vector<SkippedFile> skipped;
};

// Adds what `argument` stands for: the file itself, or the files below the folder in order of their
// names, without what .gitignore files leave out, without .git, symbolic links, what is not a
// regular file, and without `store`. Throws Failure if there is no such path.
void walk_path(const std::string& argument, const std::filesystem::path& store, Walk& walk);

}  // namespace rpt::cli
