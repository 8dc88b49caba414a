#include "storage/codec/state_codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "storage/codec/low_rank.h"
#include "storage/codec/state_rows.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

constexpr StateCodec kCodecs[] = {StateCodec::kFp16, StateCodec::kInt8, StateCodec::kInt4,
                                  StateCodec::kLowRank};

float largest_of(const float* row, uint32_t dim) {
    float largest = 0;
    for (uint32_t c = 0; c < dim; ++c) largest = std::max(largest, std::abs(row[c]));
    return largest;
}

// A loud, a silent and a faint token among usual ones; a loud group and a silent one in a token.
std::vector<float> uneven(Numbers& numbers, uint32_t tokens, uint32_t dim) {
    std::vector<float> states = numbers.vector(size_t(tokens) * dim);
    for (uint32_t c = 0; c < dim; ++c) {
        states[dim + c] *= 1000;
        states[2 * dim + c] = 0;
        states[3 * dim + c] *= 1e-6f;
        if (c < 32) states[4 * dim + c] *= 30;
        if (c < 32) states[5 * dim + c] = 0;
    }
    return states;
}

std::vector<float> through(const std::vector<float>& states, uint32_t dim, StateCodec codec,
                           int level = 0) {
    return decode_states(encode_states(states, dim, codec, level), dim,
                         static_cast<uint32_t>(states.size() / dim));
}

double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
    double left = 0, all = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        left += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
        all += double(a[i]) * a[i];
    }
    return std::sqrt(left / all);
}

}  // namespace

TEST(StateCodec, keeps_each_value_within_half_a_step_of_its_token) {
    Numbers numbers(1);
    const uint32_t dim = 100;
    const std::vector<float> states = uneven(numbers, 7, dim);
    const std::vector<float> back = through(states, dim, StateCodec::kInt8);
    ASSERT_EQ(back.size(), states.size());
    for (size_t t = 0; t < 7; ++t) {
        // half a step, and the step's own rounding to fp16 (2^-11 of it, 2^-24 where it is
        // subnormal)
        const float step = largest_of(&states[t * dim], dim) / 127;
        const float bound =
            0.5f * step + 127 * std::max(step * 0x1p-11f, 0x1p-24f) + step * 0x1p-10f;
        for (size_t c = 0; c < dim; ++c)
            ASSERT_NEAR(back[t * dim + c], states[t * dim + c], bound) << t << " " << c;
    }
}

TEST(StateCodec, fp16_keeps_what_binary16_keeps) {
    Numbers numbers(10);
    const std::vector<float> states = uneven(numbers, 7, 33);
    const std::vector<float> back = through(states, 33, StateCodec::kFp16);
    ASSERT_EQ(back.size(), states.size());
    for (size_t i = 0; i < states.size(); ++i) EXPECT_EQ(back[i], from_half(to_half(states[i])));
}

TEST(StateCodec, int4_keeps_each_value_within_its_groups_step) {
    Numbers numbers(11);
    for (const uint32_t dim : {1u, 31u, 32u, 64u, 100u, 256u}) {
        const std::vector<float> states = uneven(numbers, 7, dim);
        const std::vector<float> back = through(states, dim, StateCodec::kInt4);
        ASSERT_EQ(back.size(), states.size());
        for (size_t t = 0; t < 7; ++t) {
            // the largest value may be cut off by 1.2 of 9.2 steps; the scale is a multiple of the
            // token's, a 127th of the largest, and that one is fp16
            const float token = largest_of(&states[t * dim], dim);
            for (uint32_t c = 0; c < dim; ++c) {
                const uint32_t first = c / 32 * 32, n = std::min(32u, dim - first);
                const float group = largest_of(&states[t * dim + first], n);
                const float bound = 0.2f * group + token / 127 + 128 * 8 * 0x1p-24f;
                ASSERT_NEAR(back[t * dim + c], states[t * dim + c], bound)
                    << dim << " " << t << " " << c;
            }
        }
    }
    const std::vector<float> usual = numbers.vector(size_t(64) * 256);
    EXPECT_LT(relative_error(usual, through(usual, 256, StateCodec::kInt4)), 0.085);
}

TEST(StateCodec, low_rank_finds_a_matrix_of_its_rank) {
    Numbers numbers(12);
    const uint32_t n = 20, dim = 48, rank = 5;
    std::vector<float> left = numbers.vector(n * rank), right = numbers.vector(rank * dim);
    std::vector<float> states(n * dim, 0.0f);
    for (uint32_t t = 0; t < n; ++t)
        for (uint32_t k = 0; k < rank; ++k)
            for (uint32_t c = 0; c < dim; ++c)
                states[t * dim + c] += left[t * rank + k] * right[k * dim + c];
    const auto error = [&](uint32_t r) {
        return relative_error(
            states, decode_states(encode_states(states, dim, StateCodec::kLowRank, 0, r), dim, n));
    };
    EXPECT_GT(error(rank - 1), 0.1);
    EXPECT_LT(error(rank), 0.01);  // int8
    EXPECT_LT(error(1000), 0.01);  // cut to what the matrix has
}

// The error of rank r is what the smaller singular values hold; here they are known.
TEST(StateCodec, low_rank_loses_the_smallest_parts) {
    const uint32_t n = 8, dim = 8;
    std::vector<float> states(n * dim, 0.0f);
    for (uint32_t i = 0; i < n; ++i)
        states[i * dim + i * 3 % dim] = i % 2 ? 10.0f + static_cast<float>(i) : 1.0f;
    const std::vector<float> back =
        decode_states(encode_states(states, dim, StateCodec::kLowRank, 0, 4), dim, n);
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t c = 0; c < dim; ++c)
            EXPECT_NEAR(back[i * dim + c], i % 2 ? states[i * dim + c] : 0.0f, 0.1)
                << i << " " << c;
}

TEST(StateCodec, fast_loops_give_what_the_plain_ones_give) {
    Numbers numbers(13);
    for (const size_t dim : {1u, 2u, 31u, 32u, 33u, 64u, 100u, 256u}) {
        const size_t n = 9;
        const std::vector<float> states = uneven(numbers, n, static_cast<uint32_t>(dim));
        std::vector<float> fast(n * dim), slow(n * dim);

        std::vector<uint8_t> body(int8_body(n, dim));
        write_int8(states.data(), n, dim, body.data());
        for (size_t t = 0; t < n; ++t) {
            const float scale =
                from_half(static_cast<uint16_t>(body[2 * t] | (body[2 * t + 1] << 8)));
            for (size_t c = 0; c < dim && scale > 0; ++c) {
                EXPECT_EQ(static_cast<int8_t>(body[2 * n + t * dim + c]),
                          std::clamp(std::nearbyint(states[t * dim + c] * (1.0f / scale)), -127.0f,
                                     127.0f));
            }
        }
        EXPECT_TRUE(read_int8(body.data(), n, dim, fast.data()));
        EXPECT_TRUE(plain::read_int8(body.data(), n, dim, slow.data()));
        EXPECT_EQ(fast, slow);

        body.resize(int4_body(n, dim));
        write_int4(states.data(), n, dim, body.data());
        EXPECT_TRUE(read_int4(body.data(), n, dim, fast.data()));
        EXPECT_TRUE(plain::read_int4(body.data(), n, dim, slow.data()));
        EXPECT_EQ(fast, slow);

        const size_t rank = std::min<size_t>(4, dim);
        body.resize(low_rank_body(n, dim, rank));
        write_low_rank(states.data(), n, dim, rank, body.data());
        EXPECT_TRUE(read_low_rank(body.data(), n, dim, rank, fast.data()));
        EXPECT_TRUE(plain::read_low_rank(body.data(), n, dim, rank, slow.data()));
        for (size_t i = 0; i < fast.size(); ++i) EXPECT_NEAR(fast[i], slow[i], 1e-3);  // of 4,000
    }
}

TEST(StateCodec, decoding_and_encoding_again_changes_nothing) {
    Numbers numbers(2);
    for (const StateCodec codec : {StateCodec::kFp16, StateCodec::kInt8, StateCodec::kInt4}) {
        for (const uint32_t dim : {7u, 16u, 64u, 100u, 256u}) {
            for (int i = 0; i < 100; ++i) {
                const std::vector<float> once = through(uneven(numbers, 10, dim), dim, codec);
                ASSERT_FALSE(once.empty());
                EXPECT_EQ(through(once, dim, codec, 3), once)
                    << static_cast<int>(codec) << " " << dim << " " << i;
            }
        }
    }
}

TEST(StateCodec, costs_no_more_bytes_than_its_name_says) {
    Numbers numbers(3);
    for (const uint32_t dim : {64u, 256u, 512u}) {
        const std::vector<float> states = numbers.vector(size_t(64) * dim);
        const auto bytes = [&](StateCodec codec) {
            return static_cast<double>(encode_states(states, dim, codec, 0).size()) / (64 * dim);
        };
        EXPECT_LE(bytes(StateCodec::kFp16), 2.01);
        EXPECT_LE(bytes(StateCodec::kInt8), 1.1);
        EXPECT_LE(bytes(StateCodec::kInt4), 0.57);
        EXPECT_LE(bytes(StateCodec::kLowRank), 16.0 / 64 + 16.0 / dim + 1.0 / dim + 0.01);
    }
}

TEST(StateCodec, chunks_of_no_token_and_of_one_come_back) {
    Numbers numbers(5);
    const std::vector<float> one = numbers.vector(16);
    for (const StateCodec codec : kCodecs) {
        EXPECT_TRUE(through({}, 16, codec).empty());
        EXPECT_EQ(through(one, 16, codec).size(), 16u);
        EXPECT_EQ(through(std::vector<float>(32, 0.0f), 16, codec), std::vector<float>(32, 0.0f));
    }
}

TEST(StateCodec, refuses_what_is_not_finite) {
    for (const StateCodec codec : kCodecs) {
        for (const float bad :
             {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(),
              -std::numeric_limits<float>::max()}) {
            std::vector<float> states(16, 1.0f);
            states[5] = bad;
            EXPECT_EQ(status_of([&] { encode_states(states, 8, codec, 0); }), Status::kArgument);
        }
        // the largest that each takes comes back finite
        const float limit = codec == StateCodec::kFp16 ? 65504.0f : 65504.0f * 127;
        const std::vector<float> back = through(std::vector<float>(16, limit), 8, codec);
        ASSERT_EQ(back.size(), 16u);
        for (const float value : back) EXPECT_NEAR(value / limit, 1.0f, 0.01f);
    }
}

TEST(StateCodec, damaged_bytes_are_empty_or_refused_never_more) {
    Numbers numbers(4);
    for (const StateCodec codec : kCodecs) {
        // noise that zstd cannot pack, and zeros that it can
        for (const bool packed : {false, true}) {
            const std::string good = encode_states(
                packed ? std::vector<float>(256, 0.0f) : numbers.vector(256), 32, codec, 0);
            ASSERT_EQ(decode_states(good, 32, 8).size(), 256u);
            for (size_t cut = 0; cut < good.size(); ++cut)
                EXPECT_TRUE(decode_states(std::string_view(good).substr(0, cut), 32, 8).empty());
            EXPECT_TRUE(decode_states(good + "x", 32, 8).empty());
            EXPECT_TRUE(decode_states(good, 32, 7).empty());
            EXPECT_TRUE(decode_states(good, 30, 8).empty());
            std::string newer = good;
            newer[0] = 99;
            EXPECT_EQ(status_of([&] { decode_states(newer, 32, 8); }), Status::kVersion);
            for (size_t i = 1; i < good.size(); ++i) {
                for (const int flip : {0x01, 0x55, 0x80, 0xff}) {
                    std::string bad = good;
                    bad[i] = static_cast<char>(bad[i] ^ flip);
                    // any finite answer, no crash: the seal is what finds it
                    for (const float value : decode_states(bad, 32, 8))
                        EXPECT_TRUE(std::isfinite(value));
                }
            }
        }
    }
}

TEST(StateCodec, random_bytes_are_empty_or_finite) {
    Numbers numbers(6);
    const uint32_t dim = 16, max_tokens = 8;
    for (int i = 0; i < 40000; ++i) {
        const auto raw = static_cast<uint8_t>(1 + 2 * numbers.below(4));
        const uint32_t tokens = numbers.below(10);
        std::string bytes(1, static_cast<char>(raw + numbers.below(2)));
        bytes += std::string{static_cast<char>(tokens), 0, 0,
                             static_cast<char>(numbers.below(20) == 0 ? 0xff : 0)};
        // often the length that belongs to the header, so that the body is read too
        const uint32_t rank = numbers.below(10);
        size_t size = numbers.below(400);
        if (raw == 7) bytes += std::string{static_cast<char>(rank), 0};
        if (numbers.below(2) == 0) {
            size = raw == 1   ? int8_body(tokens, dim)
                   : raw == 3 ? fp16_body(tokens, dim)
                   : raw == 5 ? int4_body(tokens, dim)
                              : low_rank_body(tokens, dim, rank);
        }
        for (size_t b = 0; b < size; ++b) bytes += static_cast<char>(numbers.below(256));
        const std::vector<float> states = decode_states(bytes, dim, max_tokens);
        ASSERT_LE(states.size(), size_t(max_tokens) * dim);
        for (const float value : states) ASSERT_TRUE(std::isfinite(value));
    }
}

}  // namespace rpt::storage
