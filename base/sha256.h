// SHA-256 (FIPS 180-4): fingerprints of models, content hashes of files.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace rpt {

using Digest = std::array<uint8_t, 32>;

// A value; one thread at a time.
class Sha256 {
  public:
    Sha256();
    Sha256& update(const void* data, size_t size);
    // Ends the hash; the object must not be used afterwards.
    Digest finish();

  private:
    std::array<uint32_t, 8> state_;
    std::array<uint8_t, 64> buffer_{};
    uint64_t total_ = 0;
};

Digest sha256(const void* data, size_t size);
// 64 lower-case hexadecimal digits.
std::string to_hex(const Digest& digest);

}  // namespace rpt
