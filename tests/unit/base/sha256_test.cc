#include "base/sha256.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

#include "base/sha256_blocks.h"

namespace rpt {

TEST(Sha256, matches_fips_examples) {
    EXPECT_EQ(to_hex(sha256("", 0)),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(to_hex(sha256("abc", 3)),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const std::string million(1000000, 'a');
    EXPECT_EQ(to_hex(sha256(million.data(), million.size())),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, does_not_depend_on_how_the_bytes_were_split) {
    const std::string text(1000, 'x');
    for (size_t cut : {size_t(1), size_t(63), size_t(64), size_t(65), size_t(999)}) {
        const Digest digest =
            Sha256().update(text.data(), cut).update(text.data() + cut, text.size() - cut).finish();
        EXPECT_EQ(digest, sha256(text.data(), text.size()));
    }
}

TEST(Sha256, every_split_of_a_text_gives_one_digest) {
    std::string text(300, 0);
    for (size_t i = 0; i < text.size(); ++i) text[i] = char(i * 7);
    const Digest whole = sha256(text.data(), text.size());
    for (size_t step = 1; step < text.size(); ++step) {
        Sha256 hash;
        for (size_t at = 0; at < text.size(); at += step) {
            hash.update(text.data() + at, std::min(step, text.size() - at)).update(nullptr, 0);
        }
        EXPECT_EQ(hash.finish(), whole) << step;
    }
}

TEST(Sha256, instructions_of_the_processor_mix_as_the_plain_twin_does) {
    if (!has_sha_instructions()) GTEST_SKIP() << "this processor has none";
    std::mt19937 random(1);
    for (size_t n = 0; n < 20; ++n) {
        std::vector<uint8_t> blocks(64 * n + 1);
        for (uint8_t& byte : blocks) byte = uint8_t(random());
        std::array<uint32_t, 8> plain, fast;
        for (uint32_t& word : plain) word = uint32_t(random());
        fast = plain;
        // not aligned, as bytes of a file may be
        sha256_blocks_plain(plain.data(), blocks.data() + 1, n);
        sha256_blocks_fast(fast.data(), blocks.data() + 1, n);
        EXPECT_EQ(fast, plain) << n << " blocks";
    }
}

}  // namespace rpt
