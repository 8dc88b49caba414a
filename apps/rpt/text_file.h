// Files on disk as documents: is it text, is it known already.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "apps/rpt/text_reader.h"

namespace rpt::cli {

// The text of a file being read. Takes ordinary files only, and of a file that grows meanwhile what
// it had at the start. Failures are told by problem().
class TextFile {
  public:
    TextFile(const std::filesystem::path& path, const TextForm& form);
    ~TextFile();
    TextFile(const TextFile&) = delete;
    TextFile& operator=(const TextFile&) = delete;
    bool is_open() const { return fd_ >= 0; }
    const std::string& problem() const { return problem_; }
    // Puts the next text into `piece`; its size, 0 at the end, or nothing on a failure or an
    // interrupt.
    std::optional<size_t> read_piece(std::string& piece);

  private:
    bool read_bytes();

    int fd_ = -1;
    uint64_t left_ = 0;  // bytes that are not read yet
    bool ended_ = false;
    std::string bytes_;
    TextReader reader_;
    std::string problem_;
};

inline constexpr size_t kPieceBytes = 1 << 16;  // bounds how long a Ctrl-C and the bar wait

using ContentHash = std::array<uint8_t, 32>;
// What a look at the whole file tells: why it is no text, or the hash that a document of it has.
// Cheaper than to find out in the middle of a document.
struct FileLook {
    std::optional<std::string> not_text;
    ContentHash hash{};
};
FileLook look_at(const std::filesystem::path& path, const TextForm& form);

// Milliseconds since 1970, 0 if unknown.
int64_t modified_ms(const std::filesystem::path& path);
[[noreturn]] void fail_interrupted();

}  // namespace rpt::cli
