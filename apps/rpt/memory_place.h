// Whether a folder is a memory, and which of its files are the memory's own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rpt::cli {

// A file or folder, whatever its name.
struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const FileIdentity&) const = default;
};
// Nothing if it is not there. Links are followed.
std::optional<FileIdentity> identity_of(const std::filesystem::path& path);

// `folder` is a descriptor of it.
bool is_memory(int folder);
bool is_memory(const std::filesystem::path& folder);
// Names that a memory uses at the top of its folder.
bool is_own_name(std::string_view name);

// Throws Failure if no memory can be at `store`, or if one should not be made there: a file, a link
// to nothing, a place below a folder that is not there, or a folder that holds other files and is
// not one of `paths`, the files and folders to be read.
void check_place_of_memory(const std::string& store, const std::vector<std::string>& paths);
// The same of a place to which the memory `from` is copied; it may not lie within that memory.
void check_place_of_copy(const std::string& from, const std::string& to);

}  // namespace rpt::cli
