#include "storage/name_rules.h"

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"

namespace rpt::storage {
namespace {

struct Fault {
    size_t offset;
    const char* reason;
};

// Length of the well-formed UTF-8 sequence (Unicode 15, table 3-7) at `at`, 0 if there is none.
size_t sequence_at(std::string_view text, size_t at, uint32_t& code_point) {
    const auto byte = [&](size_t i) {
        return at + i < text.size() ? static_cast<uint8_t>(text[at + i]) : uint8_t(0);
    };
    const uint8_t first = byte(0);
    const size_t length = first < 0x80   ? 1
                          : first < 0xC2 ? 0
                          : first < 0xE0 ? 2
                          : first < 0xF0 ? 3
                          : first < 0xF5 ? 4
                                         : 0;
    if (length < 2) {
        code_point = first;
        return length;
    }
    code_point = first & (0x7Fu >> length);
    for (size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return 0;
        code_point = (code_point << 6) | (byte(i) & 0x3F);
    }
    const bool overlong =
        (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
    const bool surrogate = code_point >= 0xD800 && code_point < 0xE000;
    return overlong || surrogate || code_point > 0x10FFFF ? 0 : length;
}

std::optional<Fault> find_fault(std::string_view text, bool control_characters_allowed) {
    for (size_t at = 0; at < text.size();) {
        uint32_t code_point = 0;
        const size_t length = sequence_at(text, at, code_point);
        if (length == 0) return Fault{at, "is not UTF-8"};
        if (code_point == 0) return Fault{at, "holds a NUL"};
        const bool control = code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
        if (control && !control_characters_allowed) return Fault{at, "holds a control character"};
        at += length;
    }
    return std::nullopt;
}

void check(std::string_view text, const char* what, size_t max_bytes,
           bool control_characters_allowed) {
    if (text.size() > max_bytes)
        throw Error(Status::kArgument, "rpt",
                    std::string(what) + " has " + std::to_string(text.size()) + " bytes, at most " +
                        std::to_string(max_bytes) + " are allowed");
    if (const auto fault = find_fault(text, control_characters_allowed))
        throw Error(
            Status::kArgument, "rpt",
            std::string(what) + " " + fault->reason + " at byte " + std::to_string(fault->offset),
            static_cast<int64_t>(fault->offset));
}

}  // namespace

void check_name(std::string_view name, const char* what, size_t max_bytes) {
    if (name.empty()) throw Error(Status::kArgument, "rpt", std::string(what) + " is empty");
    check(name, what, max_bytes, false);
}

void check_text(std::string_view text, const char* what, size_t max_bytes) {
    check(text, what, max_bytes, true);
}

}  // namespace rpt::storage
