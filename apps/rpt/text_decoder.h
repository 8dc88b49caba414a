// Bytes of a file or a stream, in whatever encoding they are, as UTF-8.
#pragma once

#include <iconv.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rpt::cli {

// Whether iconv(3) knows an encoding of this name.
bool knows_encoding(const std::string& name);

// Fed with pieces of any size. A byte order mark decides: it names the encoding, and is no part of
// the text.
class TextDecoder {
  public:
    enum class Utf8 { kPass, kCheck };
    // `encoding` of bytes without a mark; empty: UTF-8. With `lossy` what is invalid becomes
    // U+FFFD. UTF-8 may pass as it is, valid or not.
    TextDecoder(const std::string& encoding, bool lossy, Utf8 utf8);
    ~TextDecoder();
    TextDecoder(const TextDecoder&) = delete;
    TextDecoder& operator=(const TextDecoder&) = delete;

    // Appends what is complete to `text`. False at what is invalid: problem() tells.
    bool feed(std::string_view bytes, std::string& text);
    // After the last piece.
    bool finish(std::string& text);
    // "not UTF-16LE at byte 12"
    std::string problem() const;
    // UTF-8 that is passed as it is.
    bool passes() const { return decided_ && !converter_; }
    // Bytes of the mark, 0 without one.
    size_t mark_bytes() const { return mark_bytes_; }

  private:
    void decide(bool is_end);
    bool convert(std::string_view bytes, std::string& text, bool is_end);
    bool invalid(std::string& text, size_t at);

    std::string encoding_;
    const bool lossy_;
    const Utf8 utf8_;
    bool decided_ = false;
    size_t mark_bytes_ = 0;
    std::optional<iconv_t> converter_;
    std::string pending_;  // the first bytes, then a character that is cut
    uint64_t offset_ = 0;  // of pending_ in what was fed
    std::optional<uint64_t> invalid_at_;
};

}  // namespace rpt::cli
