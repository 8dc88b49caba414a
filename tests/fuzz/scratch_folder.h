// A folder for the files that a target hands to code which reads paths.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/fuzz/finding.h"

namespace rpt::fuzz {

// Removed with all that is in it when the target ends; a fault leaves it behind. TMPDIR says where:
// a folder in memory makes a target several times as fast.
class ScratchFolder {
  public:
    ScratchFolder() {
        path_ = (std::filesystem::temp_directory_path() / "rpt_fuzz_XXXXXX").string();
        if (::mkdtemp(path_.data()) == nullptr) report("cannot make a folder", path_.c_str());
    }
    ~ScratchFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;

    std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }
    // A new file each time, and not the old one changed: that may still be mapped.
    std::string write(std::string_view name, std::string_view bytes) const {
        const std::string file = path(name);
        std::filesystem::remove(file);
        std::FILE* out = std::fopen(file.c_str(), "wb");
        if (out == nullptr) report("cannot write", file.c_str());
        const size_t written = std::fwrite(bytes.data(), 1, bytes.size(), out);
        if (std::fclose(out) != 0 || written != bytes.size()) report("cannot write", file.c_str());
        return file;
    }

  private:
    std::string path_;
};

}  // namespace rpt::fuzz
