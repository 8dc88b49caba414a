// Where the lines of a text end.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace rpt::cli {

// A line ends with LF, CR LF, or CR alone, as for editors; the other line ends of Unicode are not
// counted, as they are not by editors and compilers. Fed with pieces of any size.
class LineEnds {
  public:
    // Appends the offset of the last byte of each line end.
    void feed(std::string_view piece, std::vector<uint64_t>& ends);
    // After the last piece.
    void finish(std::vector<uint64_t>& ends);

  private:
    uint64_t offset_ = 0;
    bool after_cr_ = false;
};

}  // namespace rpt::cli
