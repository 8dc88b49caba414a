#include "core/text/cl100k_pieces.h"

#include "base/unicode_classes.h"

namespace rpt::text {
namespace {

// PieceScan::state; 0 where the piece has none yet.
enum Run : uint32_t {
    kLetters = 1,
    kNumbers,     // PieceScan::last counts them
    kOthers,      //
    kLineEnds,    // behind others
    kSpaces,      // without a line end so far; last: where the last code point begins
    kSpacedLines  // with a line end; last: behind the last one
};

bool is_line_end(char c) {
    return c == '\r' || c == '\n';
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? char(c + 32) : c;
}

// Bytes of a contraction at `begin`, or 0; nothing if the text does not tell yet.
std::optional<size_t> contraction(std::string_view text, size_t begin, bool at_end) {
    const std::string_view left = text.substr(begin + 1, 2);
    const auto unsettled = at_end ? std::optional<size_t>(0) : std::nullopt;
    if (left.empty()) return unsettled;
    if (left == "\u017F") return 3;
    switch (lower(left[0])) {
        case 's':
        case 't':
        case 'm':
        case 'd':
            return 2;
        case 'r':
        case 'v':
            return left.size() < 2 ? unsettled : lower(left[1]) == 'e' ? 3 : 0;
        case 'l':
            return left.size() < 2 ? unsettled : lower(left[1]) == 'l' ? 3 : 0;
        default:
            return 0;
    }
}

// Decides which run the piece is; false if the text does not tell yet.
bool start(PieceScan& scan, std::string_view text, size_t begin, bool at_end) {
    const Classified first = classify(text, begin);
    if (first.kind == CharClass::kLetter) {
        scan = {kLetters, first.size, 0};
    } else if (first.kind == CharClass::kNumber) {
        scan = {kNumbers, first.size, 1};
    } else if (is_line_end(text[begin])) {
        scan = {kSpacedLines, 1, 1};
    } else {
        const size_t at = begin + first.size;
        if (at == text.size() && !at_end) return false;
        const Classified second =
            at < text.size() ? classify(text, at) : Classified{CharClass::kSpace, 0};
        if (second.kind == CharClass::kLetter)
            scan = {kLetters, first.size + second.size, 0};
        else if (first.kind == CharClass::kOther)
            scan = {kOthers, first.size, 0};
        else if (text[begin] == ' ' && second.kind == CharClass::kOther)
            scan = {kOthers, first.size + second.size, 0};
        else
            scan = {kSpaces, first.size, 0};
    }
    return true;
}

// Takes a code point into the run that `scan` is in; false if the run ends before it.
bool take(PieceScan& scan, Classified c, char byte, size_t place, uint32_t most_numbers) {
    switch (scan.state) {
        case kLetters:
            return c.kind == CharClass::kLetter;
        case kNumbers:
            return c.kind == CharClass::kNumber && scan.last++ < most_numbers;
        case kOthers:
            if (c.kind == CharClass::kOther) return true;
            scan.state = kLineEnds;
            return is_line_end(byte);
        case kLineEnds:
            return is_line_end(byte);
        default:
            if (c.kind != CharClass::kSpace) return false;
            if (is_line_end(byte))
                scan = {kSpacedLines, scan.scanned, place + 1};
            else if (scan.state == kSpaces)
                scan.last = place;
            return true;
    }
}

}  // namespace

std::optional<size_t> Cl100kPieces::next(PieceScan& scan, std::string_view text, size_t begin,
                                         bool at_end) const {
    if (scan.state == 0) {
        if (text[begin] == '\'') {
            const std::optional<size_t> size = contraction(text, begin, at_end);
            if (!size) return std::nullopt;
            if (*size != 0) return begin + *size;
        }
        if (!start(scan, text, begin, at_end)) return std::nullopt;
    }
    size_t at = begin + scan.scanned;
    if (scan.state == kLetters) {  // most of a text
        for (Classified c; at < text.size(); at += c.size) {
            c = classify(text, at);
            if (c.kind != CharClass::kLetter) {
                scan = {};
                return at;
            }
        }
    }
    bool ended = scan.state == kNumbers && scan.last == most_numbers_;
    while (!ended && at < text.size()) {
        const Classified c = classify(text, at);
        ended = !take(scan, c, text[at], at - begin, most_numbers_);
        if (!ended) at += c.size;
        if (scan.state == kNumbers && scan.last == most_numbers_) ended = true;
    }
    if (!ended && !at_end) {
        scan.scanned = at - begin;
        return std::nullopt;
    }
    // s+(?!S) gives its last code point back to what follows; a lone one is taken by s+
    const bool gives_back = scan.state == kSpaces && at < text.size() && scan.last > 0;
    if (scan.state == kSpacedLines || gives_back) at = begin + scan.last;
    scan = {};
    return at;
}

std::vector<std::string_view> Cl100kPieces::pieces_slow(std::string_view text) const {
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
    const auto kind = [&](size_t i) { return i < n ? chars[i].kind : CharClass::kSpace; };
    const auto value = [&](size_t i) { return i < n ? chars[i].value : U'\0'; };
    const auto line_end = [&](size_t i) { return value(i) == U'\r' || value(i) == U'\n'; };
    const auto run = [&](size_t i, CharClass wanted) {
        size_t count = 0;
        while (i + count < n && chars[i + count].kind == wanted) ++count;
        return count;
    };
    // code points that folding makes one
    const auto is = [&](size_t i, char32_t letter) {
        return value(i) == letter || value(i) == letter - 32 ||
               (letter == U's' && value(i) == U'\u017F');
    };
    const auto match = [&](size_t i) -> size_t {
        if (value(i) == U'\'') {
            for (char32_t one : {U's', U't', U'm', U'd'})
                if (is(i + 1, one)) return 2;
            for (auto [one, two] : {std::pair(U'r', U'e'), {U'v', U'e'}, {U'l', U'l'}})
                if (is(i + 1, one) && is(i + 2, two)) return 3;
        }
        if (const size_t letters = run(i, CharClass::kLetter)) return letters;
        if (!line_end(i) && kind(i) != CharClass::kNumber)
            if (const size_t letters = run(i + 1, CharClass::kLetter)) return 1 + letters;
        if (const size_t numbers = run(i, CharClass::kNumber))
            return std::min<size_t>(numbers, most_numbers_);
        const size_t skip = value(i) == U' ' ? 1 : 0;
        if (const size_t others = run(i + skip, CharClass::kOther)) {
            size_t count = skip + others;
            while (line_end(i + count)) ++count;
            return count;
        }
        const size_t spaces = run(i, CharClass::kSpace);
        for (size_t count = spaces; count > 0; --count)
            if (line_end(i + count - 1)) return count;
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
