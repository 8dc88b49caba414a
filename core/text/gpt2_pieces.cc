#include "core/text/gpt2_pieces.h"

#include "base/unicode_classes.h"

namespace rpt::text {

namespace {

// Numbers of Unicode 17. The package `tokenizers` cuts numbers out by Unicode 17 and knows letters
// and numbers elsewhere by Unicode 16, as unicode_tables.cc does.
bool is_newer_number(char32_t point) {
    return (point >= 0x11DE0 && point <= 0x11DE9) || (point >= 0x16FF4 && point <= 0x16FF6);
}

// As classify(); with `lone_numbers`, what is cut out is a number.
inline Classified classify_piece(std::string_view text, size_t at, bool lone_numbers) {
    const Classified c = classify(text, at);
    if (!lone_numbers || c.size < 4 || !is_newer_number(code_point_at(text, at).value)) return c;
    return {CharClass::kNumber, c.size};
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
bool start(PieceScan& scan, std::string_view text, size_t begin, bool at_end, bool lone_numbers) {
    const Classified first = classify_piece(text, begin, lone_numbers);
    if (text[begin] == ' ') {
        if (begin + 1 == text.size() && !at_end) return false;
        if (begin + 1 < text.size()) {
            const Classified second = classify_piece(text, begin + 1, lone_numbers);
            const bool cut = lone_numbers && second.kind == CharClass::kNumber;
            if (second.kind != CharClass::kSpace && !cut) {
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
        if (!start(scan, text, begin, at_end, lone_numbers_)) return std::nullopt;
    }
    size_t at = begin + scan.scanned;
    const auto run = CharClass(scan.state & 3);
    if (lone_numbers_ && run == CharClass::kNumber) {
        scan = {};
        return at;
    }
    if (run != CharClass::kSpace) {
        while (at < text.size()) {
            const Classified c = classify_piece(text, at, lone_numbers_);
            if (c.kind != run) {
                scan = {};
                return at;
            }
            at += c.size;
        }
    } else {
        while (at < text.size()) {
            const Classified c = classify_piece(text, at, lone_numbers_);
            if (c.kind != CharClass::kSpace) {
                // s+(?!S) gives its last code point back to what follows; a lone one is taken by
                // s+, and so are all before a number that is cut out: there the stretch ends
                const bool ends = lone_numbers_ && c.kind == CharClass::kNumber;
                const size_t last = ends ? 0 : scan.last;
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

namespace {

std::vector<std::string_view> stretch_pieces_slow(std::string_view text) {
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

}  // namespace

std::vector<std::string_view> Gpt2Pieces::pieces_slow(std::string_view text) const {
    if (!lone_numbers_) return stretch_pieces_slow(text);
    std::vector<std::string_view> pieces;
    const auto add_stretch = [&](size_t begin, size_t end) {
        for (std::string_view piece : stretch_pieces_slow(text.substr(begin, end - begin)))
            pieces.push_back(piece);
    };
    size_t begin = 0;
    for (size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        if (class_of(point.value) == CharClass::kNumber || is_newer_number(point.value)) {
            add_stretch(begin, at);
            pieces.push_back(text.substr(at, point.size));
            begin = at + point.size;
        }
        at += point.size;
    }
    add_stretch(begin, text.size());
    return pieces;
}

}  // namespace rpt::text
