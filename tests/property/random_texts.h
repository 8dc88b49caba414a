// Texts that a reader may meet, and cuts of them.
#pragma once

#include <cstddef>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace rpt {

using Random = std::mt19937;

inline size_t below(Random& random, size_t n) {
    return n == 0 ? 0 : random() % n;
}

// Words, rulers, scripts of one to four bytes a code point; with `broken` also bytes that are no
// UTF-8.
inline std::string random_text(Random& random, size_t size, bool broken) {
    static const char* const kParts[] = {" the",
                                         " chunk",
                                         "reader",
                                         ";\n\n",
                                         "    ",
                                         "\\begin{align}",
                                         "\xC3\xBC",
                                         "\xE6\x97\xA5\xE6\x9C\xAC",
                                         "\xF0\x9F\x98\x80",
                                         "12345",
                                         "aaaaaaaa",
                                         "\t",
                                         " & "};
    static const char* const kBroken[] = {"\xFF",         "\xC3",     "\xE6\x97",
                                          "\xF0\x9F\x98", "\x80\x80", "\xED\xA0\x80"};
    std::string text;
    while (text.size() < size) {
        if (broken && random() % 6 == 0)
            text += kBroken[below(random, std::size(kBroken))];
        else
            text += kParts[below(random, std::size(kParts))];
    }
    return text;
}

// One short period over and over: borders have nothing to hold on to.
inline std::string periodic_text(Random& random, size_t size) {
    static const char* const kPeriods[] = {"a",  "ab",  "abc",      " ",
                                           "\n", "a\n", "\xC3\xBC", "\xF0\x9F\x98\x80"};
    const std::string period = kPeriods[below(random, std::size(kPeriods))];
    std::string text;
    while (text.size() < size) text += period;
    return text;
}

// Cuts of any size, mostly small ones, also inside code points.
inline std::vector<std::string> random_pieces(Random& random, const std::string& text) {
    std::vector<std::string> pieces;
    const size_t most = 1 + below(random, random() % 2 == 0 ? 5 : 80);
    for (size_t at = 0; at < text.size();) {
        const size_t n = below(random, most + 1);
        pieces.push_back(text.substr(at, n));
        at += n;
    }
    return pieces;
}

// Nearest place at or before `at` that is not inside a code point of a valid text.
inline size_t code_point_at(const std::string& text, size_t at) {
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    return at;
}

}  // namespace rpt
