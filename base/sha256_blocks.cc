#include "base/sha256_blocks.h"

#include <array>
#include <bit>

#include "base/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace rpt {
namespace {

alignas(16) constexpr std::array<uint32_t, 64> kRoundConstants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

void mix_block(uint32_t* state, const uint8_t* block) {
    std::array<uint32_t, 64> w;
    for (size_t i = 0; i < 16; ++i) {
        w[i] = uint32_t(block[4 * i]) << 24 | uint32_t(block[4 * i + 1]) << 16 |
               uint32_t(block[4 * i + 2]) << 8 | uint32_t(block[4 * i + 3]);
    }
    for (size_t i = 16; i < 64; ++i) {
        const uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
        const uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (size_t i = 0; i < 64; ++i) {
        const uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
        const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kRoundConstants[i] + w[i];
        const uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
        const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    const std::array<uint32_t, 8> add = {a, b, c, d, e, f, g, h};
    for (size_t i = 0; i < 8; ++i) state[i] += add[i];
}

}  // namespace

void sha256_blocks_plain(uint32_t* state, const uint8_t* blocks, size_t n) {
    for (; n > 0; --n, blocks += 64) mix_block(state, blocks);
}

#if defined(__x86_64__)

bool has_sha_instructions() {
    static const bool has = [] {
        unsigned a = 0, b = 0, c = 0, d = 0;
        // leaf 7, EBX bit 29: SHA extensions (Intel SDM volume 2, CPUID)
        const bool sha = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b >> 29 & 1) != 0;
        return sha && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
    }();
    return has;
}

// The instructions keep the eight words in two registers. Their lanes, lowest first, hold f e b a
// and h g d c; one instruction does two rounds. `w` holds the last 16 words of the schedule.
__attribute__((target("sha,ssse3,sse4.1"))) void sha256_blocks_fast(uint32_t* state,
                                                                    const uint8_t* blocks,
                                                                    size_t n) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    auto* words = reinterpret_cast<__m128i*>(state);
    const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(words), 0xB1);
    const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(words + 1), 0x1B);
    __m128i feba = _mm_alignr_epi8(badc, hgfe, 8);
    __m128i hgdc = _mm_blend_epi16(hgfe, badc, 0xF0);
    for (; n > 0; --n, blocks += 64) {
        const __m128i feba_before = feba, hgdc_before = hgdc;
        __m128i w[4];
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; ++i) {
            __m128i& four = w[i % 4];
            if (i < 4) {
                const auto* from = reinterpret_cast<const __m128i*>(blocks) + i;
                four = _mm_shuffle_epi8(_mm_loadu_si128(from), big_endian);
            } else {  // words 4 i to 4 i + 3 from the 16 before them
                const __m128i last = w[(i + 3) % 4];
                const __m128i seventh = _mm_alignr_epi8(last, w[(i + 2) % 4], 4);
                four = _mm_add_epi32(_mm_sha256msg1_epu32(four, w[(i + 1) % 4]), seventh);
                four = _mm_sha256msg2_epu32(four, last);
            }
            const auto* constants = reinterpret_cast<const __m128i*>(kRoundConstants.data()) + i;
            const __m128i sum = _mm_add_epi32(four, _mm_load_si128(constants));
            hgdc = _mm_sha256rnds2_epu32(hgdc, feba, sum);
            feba = _mm_sha256rnds2_epu32(feba, hgdc, _mm_shuffle_epi32(sum, 0x0E));
        }
        feba = _mm_add_epi32(feba, feba_before);
        hgdc = _mm_add_epi32(hgdc, hgdc_before);
    }
    const __m128i abef = _mm_shuffle_epi32(feba, 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(hgdc, 0xB1);
    _mm_storeu_si128(words, _mm_blend_epi16(abef, dchg, 0xF0));
    _mm_storeu_si128(words + 1, _mm_alignr_epi8(dchg, abef, 8));
}

#else

bool has_sha_instructions() {
    return false;
}

void sha256_blocks_fast(uint32_t*, const uint8_t*, size_t) {
    RPT_CHECK(has_sha_instructions());
}

#endif

}  // namespace rpt
