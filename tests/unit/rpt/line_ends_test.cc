#include "apps/rpt/line_ends.h"

#include <gtest/gtest.h>

namespace rpt::cli {
namespace {

std::vector<uint64_t> ends_of(std::string_view text, size_t piece) {
    LineEnds lines;
    std::vector<uint64_t> ends;
    for (size_t at = 0; at < text.size(); at += piece) lines.feed(text.substr(at, piece), ends);
    lines.finish(ends);
    return ends;
}

TEST(line_ends, lf_crlf_and_cr_end_a_line_for_every_split) {
    const std::string_view text = "a\nb\r\nc\rd\r\r\n\n\r";
    const std::vector<uint64_t> expected = {1, 4, 6, 8, 10, 11, 12};
    for (size_t piece = 1; piece <= text.size(); ++piece) EXPECT_EQ(ends_of(text, piece), expected);
}

TEST(line_ends, other_separators_of_unicode_end_none) {
    EXPECT_TRUE(ends_of("a\xE2\x80\xA8"
                        "b\xC2\x85"
                        "c\fd\ve",
                        3)
                    .empty());
}

}  // namespace
}  // namespace rpt::cli
