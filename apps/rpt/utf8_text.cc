#include "apps/rpt/utf8_text.h"

#include "apps/rpt/utf8_scan.h"

namespace rpt::cli {

std::u32string code_points(std::string_view text) {
    std::u32string out;
    for (size_t at = 0; at < text.size();) {
        const size_t size = code_point_size(text.substr(at));
        if (size == 0) {
            out += U'\uFFFD';
            ++at;
            continue;
        }
        const auto lead = static_cast<unsigned char>(text[at]);
        char32_t point = size == 1 ? lead : lead & (0x7Fu >> size);
        for (size_t i = 1; i < size; ++i)
            point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
        out += point;
        at += size;
    }
    return out;
}

void append_utf8(std::string& out, char32_t point) {
    if (point < 0x80) {
        out += static_cast<char>(point);
        return;
    }
    const int n_more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    const char32_t lead = n_more == 1 ? 0xC0 : n_more == 2 ? 0xE0 : 0xF0;
    out += static_cast<char>(lead | point >> (6 * n_more));
    for (int i = n_more - 1; i >= 0; --i)
        out += static_cast<char>(0x80 | (point >> (6 * i) & 0x3F));
}

std::string_view first_bytes(std::string_view text, size_t size) {
    if (text.size() <= size) return text;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
    return text.substr(0, size);
}

}  // namespace rpt::cli
