// An ordinary file that is read by offset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/ordinary_file.h"

namespace rpt {

// Unlike a mapped file it raises no signal when the file is cut short or its disk fails: reading
// throws. Immutable; shared by threads.
class InputFile {
  public:
    // kNotFound, kIo (OrdinaryFile).
    explicit InputFile(const std::string& path);

    // Bytes it had when it was opened.
    uint64_t size() const { return file_.size(); }
    // All of `out`. kIo with path and errno, kCorrupt where the file ends before.
    void read(uint64_t offset, std::span<std::byte> out) const;

  private:
    const std::string path_;
    const OrdinaryFile file_;
};

}  // namespace rpt
