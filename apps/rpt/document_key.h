// Names of documents that are files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace rpt::cli {

inline constexpr size_t kMaxKeyBytes = 1023;

// A path as a name of a document: the path itself if it is UTF-8 without control characters.
// Otherwise "escaped:" and the path with "%E9" for each byte that is not such text, and "%25" for
// '%'. A path that starts with "escaped:" itself is written so too, so that every name stands for
// one path.
std::string name_of_path(std::string_view path);
std::filesystem::path path_of_name(std::string_view name);

// Whether a person who stood in some folder would have called the file at this absolute path so:
// "d/a.txt" and "../d/a.txt" of "/home/x/d/a.txt", and the path itself.
bool is_path_form(const std::filesystem::path& given, const std::filesystem::path& absolute);

}  // namespace rpt::cli
