#include "core/text/gpt2_pieces.h"

#include <array>

#include "core/text/unicode_classes.h"

namespace rpt::text {

namespace {

constexpr std::array<CharClass, 128> make_ascii_classes() {
    std::array<CharClass, 128> table{};
    for (int c = 0; c < 128; ++c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool number = c >= '0' && c <= '9';
        const bool space = c == ' ' || (c >= 9 && c <= 13);
        table[size_t(c)] = letter   ? CharClass::kLetter
                           : number ? CharClass::kNumber
                           : space  ? CharClass::kSpace
                                    : CharClass::kOther;
    }
    return table;
}
constexpr std::array<CharClass, 128> kAscii = make_ascii_classes();

struct Classified {
    CharClass kind;
    uint32_t size;
};

inline Classified classify(std::string_view text, size_t at) {
    const uint8_t byte = uint8_t(text[at]);
    if (byte < 128) return {kAscii[byte], 1};
    const CodePoint point = code_point_at(text, at);
    return {class_of(point.value), point.size};
}

// PieceScan::state: 0 where the piece has no run yet, else the class of its run and this.
constexpr uint32_t kRun = 4;

// Bytes of a contraction at `begin`, or 0.
size_t contraction(std::string_view text, size_t begin, bool at_end, bool& unsettled) {
    const size_t left = text.size() - begin;
    if (left < 2) {
        unsettled = !at_end;
        return 0;
    }
    switch (text[begin + 1]) {
        case 's':
        case 't':
        case 'm':
        case 'd':
            return 2;
        case 'r':
        case 'v':
        case 'l': {
            if (left < 3) {
                unsettled = !at_end;
                return 0;
            }
            const char wanted = text[begin + 1] == 'l' ? 'l' : 'e';
            return text[begin + 2] == wanted ? 3 : 0;
        }
        default:
            return 0;
    }
}

// Decides which run the piece is; false if the text does not tell yet.
bool start(PieceScan& scan, std::string_view text, size_t begin, bool at_end) {
    const Classified first = classify(text, begin);
    if (text[begin] == ' ') {
        if (begin + 1 == text.size() && !at_end) return false;
        if (begin + 1 < text.size()) {
            const Classified second = classify(text, begin + 1);
            if (second.kind != CharClass::kSpace) {
                scan = {kRun | uint32_t(second.kind), 1 + second.size, 0};
                return true;
            }
        }
    }
    scan = {kRun | uint32_t(first.kind), first.size, 0};
    return true;
}

}  // namespace

std::optional<size_t> Gpt2Pieces::next(PieceScan& scan, std::string_view text, size_t begin,
                                       bool at_end) const {
    if (scan.state == 0) {
        if (text[begin] == '\'') {
            bool unsettled = false;
            const size_t size = contraction(text, begin, at_end, unsettled);
            if (unsettled) return std::nullopt;
            if (size != 0) return begin + size;
        }
        if (!start(scan, text, begin, at_end)) return std::nullopt;
    }
    size_t at = begin + scan.scanned;
    const auto run = CharClass(scan.state & 3);
    if (run != CharClass::kSpace) {
        while (at < text.size()) {
            const Classified c = classify(text, at);
            if (c.kind != run) {
                scan = {};
                return at;
            }
            at += c.size;
        }
    } else {
        while (at < text.size()) {
            const Classified c = classify(text, at);
            if (c.kind != CharClass::kSpace) {
                // s+(?!S) gives its last code point back to what follows; a lone one is taken by s+
                const size_t last = scan.last;
                scan = {};
                return last == 0 ? at : begin + last;
            }
            scan.last = at - begin;
            at += c.size;
        }
    }
    if (at_end) {
        scan = {};
        return at;
    }
    scan.scanned = at - begin;
    return std::nullopt;
}

std::vector<std::string_view> Gpt2Pieces::pieces_slow(std::string_view text) const {
    struct Char {
        char32_t value;
        CharClass kind;
        size_t at;
    };
    std::vector<Char> chars;
    for (size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        chars.push_back({point.value, class_of(point.value), at});
        at += point.size;
    }
    const size_t n = chars.size();
    const auto run = [&](size_t i, CharClass kind) {
        size_t count = 0;
        while (i + count < n && chars[i + count].kind == kind) ++count;
        return count;
    };
    const auto match = [&](size_t i) -> size_t {
        for (std::string_view word : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"})
            if (text.substr(chars[i].at, word.size()) == word) return word.size();
        const size_t skip = chars[i].value == U' ' ? 1 : 0;
        for (CharClass kind : {CharClass::kLetter, CharClass::kNumber, CharClass::kOther}) {
            if (const size_t count = run(i + skip, kind)) return skip + count;
        }
        const size_t spaces = run(i, CharClass::kSpace);
        return i + spaces < n && spaces > 1 ? spaces - 1 : spaces;
    };
    std::vector<std::string_view> pieces;
    for (size_t i = 0; i < n;) {
        const size_t end = i + match(i);
        const size_t last = end < n ? chars[end].at : text.size();
        pieces.push_back(text.substr(chars[i].at, last - chars[i].at));
        i = end;
    }
    return pieces;
}

}  // namespace rpt::text
