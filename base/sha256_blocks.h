// The inner loop of SHA-256: the plain twin, and the one with the processor's SHA instructions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rpt {

// Both mix `n` blocks of 64 bytes into `state` (eight words, FIPS 180-4 section 6.2).
void sha256_blocks_plain(uint32_t* state, const uint8_t* blocks, size_t n);
// Must not be called where has_sha_instructions() is false.
void sha256_blocks_fast(uint32_t* state, const uint8_t* blocks, size_t n);

// The processor has the SHA extensions of x86-64. Always false on other machines.
bool has_sha_instructions();

}  // namespace rpt
