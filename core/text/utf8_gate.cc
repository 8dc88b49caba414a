#include "core/text/utf8_gate.h"

#include "base/error.h"

namespace rpt::text {

namespace {

struct Part {
    enum Kind { kValid, kInvalid, kUnfinished } kind;
    size_t size;  // bytes; of an invalid part: as many as could have begun a code point
                  // (Unicode 3.9, U+FFFD practice)
};

// The code point, or what stands in its place, at `at` < text.size().
Part part_at(std::string_view text, size_t at) {
    const uint8_t lead = uint8_t(text[at]);
    if (lead < 0x80) return {Part::kValid, 1};
    size_t size = 0;
    uint8_t low = 0x80, high = 0xBF;  // of the second byte: no overlong forms, no surrogates,
                                      // nothing above U+10FFFF
    if (lead >= 0xC2 && lead <= 0xDF) {
        size = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        size = 3;
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        size = 4;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
    } else {
        return {Part::kInvalid, 1};
    }
    for (size_t i = 1; i < size; ++i, low = 0x80, high = 0xBF) {
        if (at + i == text.size()) return {Part::kUnfinished, i};
        const uint8_t byte = uint8_t(text[at + i]);
        if (byte < low || byte > high) return {Part::kInvalid, i};
    }
    return {Part::kValid, size};
}

// Where the valid, complete code points from `at` on end.
size_t valid_end(std::string_view text, size_t at) {
    while (at < text.size()) {
        if (uint8_t(text[at]) < 0x80) {
            ++at;
            continue;
        }
        const Part part = part_at(text, at);
        if (part.kind != Part::kValid) break;
        at += part.size;
    }
    return at;
}

[[noreturn]] void refuse(uint64_t offset, const char* what) {
    throw Error(Status::kUtf8, "rpt",
                "text: " + std::string(what) + " at byte " + std::to_string(offset) +
                    "; pass valid utf-8 or ask for replacement",
                int64_t(offset));
}

constexpr const char* kReplacement = "\xEF\xBF\xBD";

}  // namespace

Utf8Gate::Utf8Gate(Mode mode) : mode_(mode) {}

std::vector<Utf8Gate::Piece> Utf8Gate::append(std::string_view bytes) {
    const uint64_t base = offset_ - pending_.size();  // of `text` in the document
    std::string joined;
    std::string_view text = bytes;
    if (!pending_.empty()) {
        joined = pending_;
        joined += bytes;
        text = joined;
    }
    std::vector<Piece> pieces;
    size_t at = 0;
    while (at < text.size()) {
        const size_t end = valid_end(text, at);
        if (end > at) pieces.push_back({std::string(text.substr(at, end - at)), end - at});
        at = end;
        if (at == text.size()) break;
        const Part part = part_at(text, at);
        if (part.kind == Part::kUnfinished) break;
        if (mode_ == Mode::kRefuse) refuse(base + at, "invalid utf-8");
        pieces.push_back({kReplacement, part.size});
        at += part.size;
    }
    std::string rest(text.substr(at));
    pending_ = std::move(rest);
    offset_ += bytes.size();
    return pieces;
}

std::vector<Utf8Gate::Piece> Utf8Gate::finish() {
    if (pending_.empty()) return {};
    if (mode_ == Mode::kRefuse) refuse(offset_ - pending_.size(), "unfinished code point");
    std::vector<Piece> pieces{{kReplacement, pending_.size()}};
    pending_.clear();
    return pieces;
}

size_t valid_utf8_prefix(std::string_view text) {
    return valid_end(text, 0);
}

}  // namespace rpt::text
