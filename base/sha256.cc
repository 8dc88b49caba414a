#include "base/sha256.h"

#include <algorithm>
#include <cstring>

#include "base/sha256_blocks.h"

namespace rpt {
namespace {

void mix_blocks(uint32_t* state, const uint8_t* blocks, size_t n) {
    if (has_sha_instructions()) return sha256_blocks_fast(state, blocks, n);
    sha256_blocks_plain(state, blocks, n);
}

}  // namespace

Sha256::Sha256()
    : state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19} {}

Sha256& Sha256::update(const void* data, size_t size) {
    if (size == 0) return *this;
    const auto* bytes = static_cast<const uint8_t*>(data);
    const size_t begun = total_ % 64;
    total_ += size;
    if (begun > 0) {
        const size_t n = std::min(size, 64 - begun);
        std::memcpy(buffer_.data() + begun, bytes, n);
        bytes += n, size -= n;
        if (begun + n < 64) return *this;
        mix_blocks(state_.data(), buffer_.data(), 1);
    }
    mix_blocks(state_.data(), bytes, size / 64);
    if (size % 64 > 0) std::memcpy(buffer_.data(), bytes + size / 64 * 64, size % 64);
    return *this;
}

Digest Sha256::finish() {
    const uint64_t bits = total_ * 8;
    const uint8_t one = 0x80, zero = 0;
    update(&one, 1);
    while (total_ % 64 != 56) update(&zero, 1);
    uint8_t length[8];
    for (int i = 0; i < 8; ++i) length[i] = uint8_t(bits >> (56 - 8 * i));
    update(length, 8);
    Digest digest;
    for (size_t i = 0; i < 32; ++i) digest[i] = uint8_t(state_[i / 4] >> (24 - 8 * (i % 4)));
    return digest;
}

Digest sha256(const void* data, size_t size) {
    return Sha256().update(data, size).finish();
}

std::string to_hex(const Digest& digest) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (const uint8_t byte : digest) {
        hex += kDigits[byte >> 4];
        hex += kDigits[byte & 15];
    }
    return hex;
}

}  // namespace rpt
