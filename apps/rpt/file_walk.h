// Which files a person means by the paths on the command line.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "apps/rpt/file_opening.h"

namespace rpt::cli {

struct FoundFile {
    FilePlace place;             // its root has no links, unless it was named itself
    std::filesystem::path real;  // absolute and without links on the way: tells files apart
    std::string shown;           // the path as it was given, made plain: "./a//b" is "a/b"
    bool named = false;          // stood on the command line itself
};

struct PassedFile {
    std::string path;
    std::string reason;
};

struct Walk {
    std::vector<FoundFile> files;
    std::vector<PassedFile> skipped;  // not meant, or not to be had by reading
    std::vector<PassedFile> failed;   // meant, but something is wrong
    // Folders that were named and are there. What a memory holds of a file below one of
    // them, which this walk did not find, has gone or is left out now ...
    std::vector<std::filesystem::path> roots;
    // ... unless it stands below one of these: nobody knows what is in there.
    std::vector<std::filesystem::path> unknown;
    // Named, and not there.
    std::vector<std::filesystem::path> missing;
};

struct WalkHooks {
    // Called often; ends the walk by an exception.
    std::function<void()> check = [] {};
    // A folder whose files count is about to be listed.
    std::function<void(const std::filesystem::path& folder)> enter = [](const auto&) {};
};

// Adds what `argument` stands for: the file itself, or the files below the folder in order of their
// names, without what git's rules leave out, without .git, symbolic links, what is not a regular
// file, other checkouts of the same repository, and memories, `store` among them.
void walk_path(const std::string& argument, const std::filesystem::path& store,
               const WalkHooks& hooks, Walk& walk);

}  // namespace rpt::cli
