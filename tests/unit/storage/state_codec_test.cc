#include "storage/state_codec.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {

TEST(StateCodec, keeps_each_value_within_half_a_step_of_its_token) {
    Numbers numbers(1);
    const uint32_t dim = 100;
    std::vector<float> states = numbers.vector(7 * dim);
    for (uint32_t c = 0; c < dim; ++c) {
        states[dim + c] *= 1000;  // a loud token
        states[2 * dim + c] = 0;  // a silent one
        states[3 * dim + c] *= 1e-6f;
    }
    const std::vector<float> back = decode_states(encode_states(states, dim, 0), dim, 7);
    ASSERT_EQ(back.size(), states.size());
    for (size_t t = 0; t < 7; ++t) {
        float largest = 0;
        for (size_t c = 0; c < dim; ++c) largest = std::max(largest, std::abs(states[t * dim + c]));
        // half a step, and the step's own rounding to fp16 (2^-11 of it, 2^-25 where it is
        // subnormal)
        const float step = std::max(largest / 127, 0.0f);
        const float bound =
            0.5f * step + 127 * std::max(step * 0x1p-11f, 0x1p-25f) + step * 0x1p-10f;
        for (size_t c = 0; c < dim; ++c)
            ASSERT_NEAR(back[t * dim + c], states[t * dim + c], bound) << t << " " << c;
    }
}

TEST(StateCodec, decoding_and_encoding_again_changes_nothing) {
    Numbers numbers(2);
    const std::vector<float> once =
        decode_states(encode_states(numbers.vector(640), 64, 0), 64, 10);
    EXPECT_EQ(decode_states(encode_states(once, 64, 3), 64, 10), once);
}

TEST(StateCodec, costs_at_most_1_1_bytes_a_value) {
    Numbers numbers(3);
    for (const uint32_t dim : {64u, 256u, 512u}) {
        const size_t size = encode_states(numbers.vector(size_t(64) * dim), dim, 0).size();
        EXPECT_LE(static_cast<double>(size), 1.1 * 64 * dim);
    }
}

TEST(StateCodec, refuses_what_is_not_finite) {
    for (const float bad :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        std::vector<float> states(16, 1.0f);
        states[5] = bad;
        EXPECT_EQ(status_of([&] { encode_states(states, 8, 0); }), Status::kArgument);
    }
}

TEST(StateCodec, damaged_bytes_are_empty_or_refused_never_more) {
    Numbers numbers(4);
    const std::string good = encode_states(numbers.vector(256), 32, 0);
    for (size_t cut = 0; cut < good.size(); cut += 3)
        EXPECT_TRUE(decode_states(std::string_view(good).substr(0, cut), 32, 8).empty());
    EXPECT_TRUE(decode_states(good, 32, 7).empty());
    EXPECT_TRUE(decode_states(good, 31, 8).empty());
    std::string newer = good;
    newer[0] = 99;
    EXPECT_EQ(status_of([&] { decode_states(newer, 32, 8); }), Status::kVersion);
    for (size_t i = 1; i < good.size(); ++i) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 0x55);
        decode_states(bad, 32, 8);  // any answer, no crash: the seal is what finds it
    }
}

}  // namespace rpt::storage
