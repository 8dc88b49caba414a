// The examples of docs/format: bytes on disk that may never change without a new version.
#include <gtest/gtest.h>

#include <fstream>

#include "storage/blob_codec.h"
#include "storage/state_codec.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

std::string hex(std::string_view bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        out += kDigits[static_cast<uint8_t>(c) >> 4];
        out += kDigits[static_cast<uint8_t>(c) & 15];
    }
    return out;
}

}  // namespace

TEST(StoreFormat, blobs_are_as_documented) {
    EXPECT_EQ(hex(encode_states(std::vector<float>{1, -0.5f, 0, 0}, 2, 0)),
              "0102000000"
              "08200000"
              "7fc00000");
    EXPECT_EQ(hex(encode_tokens(std::vector<int32_t>{1, 2, 300})), "02010002002c01");
    EXPECT_EQ(hex(encode_tokens(std::vector<int32_t>{-1, 65536})), "04ffffffff00000100");
    EXPECT_EQ(hex(encode_key(std::vector<float>{1, -2, 0.5f})), "003c00c00038");
    EXPECT_EQ(hex(encode_page("hi", 0)), "00020000006869");
    EXPECT_EQ(*decode_page(encode_page(std::string(70, 'a'), 0)), std::string(70, 'a'));
    EXPECT_EQ(*decode_tokens(encode_tokens(std::vector<int32_t>{-1, 65536})),
              (std::vector<int32_t>{-1, 65536}));
    EXPECT_FALSE(decode_tokens("\x03zzz"));
    EXPECT_FALSE(decode_page(std::string_view("\x01\xff\xff\xff\x7f", 5)));
}

TEST(StoreFormat, seals_and_digest_are_as_documented) {
    const ChunkPlace place{1, 2, 3, {4, 5}, true};
    EXPECT_EQ(seal_key(place, "key"), 3234282337u);
    EXPECT_NE(seal_key(place, "key"), seal_tokens(place, "key"));
    EXPECT_EQ(seal_states(7, "states"), 3093070325u);
    EXPECT_EQ(seal_page(1, 2, 3, "page"), 3185837438u);
    EXPECT_EQ(digest_part(9, 10), 17952480864676757800u);
}

TEST_F(StoreTest, database_header_is_as_documented) {
    open()->close();
    std::ifstream file(path_ + "/store.sqlite", std::ios::binary);
    std::string header(72, '\0');
    file.read(header.data(), 72);
    EXPECT_EQ(hex(header.substr(60)), "000000010000000052505453");
}

}  // namespace rpt::storage
