#include "core/text/byte_alphabet.h"

#include <algorithm>
#include <numeric>

#include "base/unicode_classes.h"

namespace rpt::text {

std::array<char32_t, 256> byte_characters() {
    std::array<char32_t, 256> characters{};
    char32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; ++byte) {
        const bool printable =
            (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
        characters[byte] = printable ? char32_t(byte) : next++;
    }
    return characters;
}

std::array<uint8_t, 256> bytes_in_character_order() {
    const auto characters = byte_characters();
    std::array<uint8_t, 256> order{};
    std::iota(order.begin(), order.end(), uint8_t(0));
    std::sort(order.begin(), order.end(),
              [&](uint8_t a, uint8_t b) { return characters[a] < characters[b]; });
    return order;
}

std::string spell_bytes(std::string_view bytes) {
    const auto characters = byte_characters();
    std::string spelled;
    for (char byte : bytes) {
        const char32_t c = characters[uint8_t(byte)];
        if (c < 0x80) {
            spelled += char(c);
        } else {  // below U+0144: two bytes
            spelled += char(0xC0 | c >> 6);
            spelled += char(0x80 | (c & 63));
        }
    }
    return spelled;
}

std::optional<std::string> unspell_bytes(std::string_view spelled) {
    static constexpr size_t kCharacters = 0x100 + 68;
    std::array<int, kCharacters> byte_of{};
    byte_of.fill(-1);
    const auto characters = byte_characters();
    for (int byte = 0; byte < 256; ++byte) byte_of[characters[size_t(byte)]] = byte;
    std::string bytes;
    for (size_t at = 0; at < spelled.size();) {
        const CodePoint point = code_point_at(spelled, at);
        if (point.value >= kCharacters || byte_of[point.value] < 0) return std::nullopt;
        bytes += char(byte_of[point.value]);
        at += point.size;
    }
    return bytes;
}

}  // namespace rpt::text
