#include "base/sha256.h"

#include <gtest/gtest.h>

namespace rpt {

TEST(Sha256, matches_fips_examples) {
    EXPECT_EQ(to_hex(sha256("", 0)), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(to_hex(sha256("abc", 3)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, does_not_depend_on_how_the_bytes_were_split) {
    const std::string text(1000, 'x');
    for (size_t cut : {size_t(1), size_t(63), size_t(64), size_t(65), size_t(999)}) {
        const Digest digest = Sha256().update(text.data(), cut).update(text.data() + cut, text.size() - cut).finish();
        EXPECT_EQ(digest, sha256(text.data(), text.size()));
    }
}

}  // namespace rpt
