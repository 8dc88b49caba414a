#include "apps/rpt/line_ends.h"

namespace rpt::cli {

void LineEnds::feed(std::string_view piece, std::vector<uint64_t>& ends) {
    for (const char c : piece) {
        if (after_cr_ && c != '\n') ends.push_back(offset_ - 1);
        if (c == '\n') ends.push_back(offset_);
        after_cr_ = c == '\r';
        ++offset_;
    }
}

void LineEnds::finish(std::vector<uint64_t>& ends) {
    if (after_cr_) ends.push_back(offset_ - 1);
    after_cr_ = false;
}

}  // namespace rpt::cli
