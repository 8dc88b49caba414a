// The printable character that stands for each byte in a byte-level BPE file.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rpt::text {

// Printable Latin-1 bytes stand for themselves; the other 68, in order, for U+0100, U+0101, ...
// (GPT-2's convention).
std::array<char32_t, 256> byte_characters();
// Bytes in the order of their characters: the order in which a trainer numbers them.
std::array<uint8_t, 256> bytes_in_character_order();

std::string spell_bytes(std::string_view bytes);
// Nothing if a character of `spelled` stands for no byte.
std::optional<std::string> unspell_bytes(std::string_view spelled);

}  // namespace rpt::text
