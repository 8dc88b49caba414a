#include "core/reader/source_map.h"

#include <gtest/gtest.h>

namespace rpt::reader {

TEST(SourceMapTest, borders_count_source_bytes_around_replacements) {
    SourceMap map;
    map.add(4, 4);  // text 0..4, source 0..4
    map.add(3, 1);  // one bad byte: text 4..7, source 4..5
    map.add(2, 2);  // text 7..9, source 5..7
    EXPECT_EQ(map.source_of(0), 0u);
    EXPECT_EQ(map.source_of(3), 3u);
    EXPECT_EQ(map.source_of(4), 4u);
    EXPECT_EQ(map.source_of(5), 4u);
    EXPECT_EQ(map.source_of(6), 4u);
    EXPECT_EQ(map.source_of(7), 5u);
    EXPECT_EQ(map.source_of(9), 7u);
    map.forget_before(7);
    EXPECT_EQ(map.source_of(8), 6u);
    map.add(3, 2);
    EXPECT_EQ(map.source_of(12), 9u);
}

}  // namespace rpt::reader
