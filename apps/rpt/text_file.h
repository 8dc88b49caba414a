// Files on disk as documents: is it text, is it known already.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "apps/rpt/file_opening.h"
#include "apps/rpt/text_reader.h"

namespace rpt::cli {

// The text of a file being read. Takes ordinary files only, and of a file that grows meanwhile what
// it had at the start. Failures are told by problem().
class TextFile {
  public:
    TextFile(const FilePlace& place, const TextForm& form);
    bool is_open() const { return bool(file_.fd); }
    bool is_missing() const;  // there was no such file
    const std::string& problem() const { return file_.problem; }
    // The problem is that its bytes are no text, not that they cannot be had.
    bool is_no_text() const { return is_no_text_; }
    FileStamp stamp() const { return FileStamp::of(file_.facts); }
    int64_t modified_ms() const;  // milliseconds since 1970
    // Puts the next text into `piece`; its size, 0 at the end, or nothing on a failure or an
    // interrupt.
    std::optional<size_t> read_piece(std::string& piece);

  private:
    bool read_bytes();

    Opened file_;
    uint64_t left_ = 0;  // bytes that are not read yet
    bool ended_ = false, is_no_text_ = false;
    std::string bytes_;
    TextReader reader_;
};

inline constexpr size_t kPieceBytes = 1 << 16;  // bounds how long a Ctrl-C and the bar wait

using ContentHash = std::array<uint8_t, 32>;
// What a look at the whole file tells: why it cannot be read, why it is no text, or the hash that a
// document of it has. Cheaper than to find out in the middle of a document.
struct FileLook {
    std::optional<std::string> failure, not_text;
    bool is_missing = false;  // the failure: there is no such file
    ContentHash hash{};
    FileStamp stamp;  // as it was when it was opened
};
FileLook look_at(const FilePlace& place, const TextForm& form);

[[noreturn]] void fail_interrupted();

}  // namespace rpt::cli
