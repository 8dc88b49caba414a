// Reads the front of a GGUF file field by field, with bounds on everything that it keeps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/input_file.h"

namespace rpt::weights {

// Numbers are little-endian. Every call checks that the bytes are there; kCorrupt names the file
// and the place. One thread at a time. Borrows the file.
class GgufReader {
  public:
    GgufReader(const std::string& path, const InputFile& file) : path_(path), file_(file) {}

    // `what` names the field in error lines.
    uint8_t u8(const char* what) { return uint8_t(number(1, what)); }
    uint32_t u32(const char* what) { return uint32_t(number(4, what)); }
    uint64_t u64(const char* what) { return number(8, what); }
    uint64_t number(size_t bytes, const char* what);
    // A u64 that counts things of at least `least_bytes` each, which must all be in the file.
    uint64_t count(uint64_t least_bytes, const char* what);
    // A u64 length and that many bytes, at most `most`.
    std::string text(uint64_t most, const char* what);
    void skip(uint64_t bytes, const char* what);

    uint64_t at() const { return at_; }
    [[noreturn]] void corrupt(const std::string& why) const;

  private:
    void need(uint64_t bytes, const char* what) const;
    void read(std::span<std::byte> out);

    const std::string& path_;
    const InputFile& file_;
    uint64_t at_ = 0;
    std::vector<std::byte> buffer_;  // bytes of the file from buffer_at_ on
    uint64_t buffer_at_ = 0;
};

}  // namespace rpt::weights
