// CRC-32C (Castagnoli, reflected, polynomial 0x82F63B78): finds damaged bytes on disk; no defence
// against forgery.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rpt {

// `seed` is the checksum of what stood before: crc32c(ab) = crc32c(b, crc32c(a)).
uint32_t crc32c(const void* data, size_t size, uint32_t seed = 0);

// The plain twin of the above, for tests and machines without SSE 4.2.
uint32_t crc32c_plain(const void* data, size_t size, uint32_t seed = 0);

}  // namespace rpt
