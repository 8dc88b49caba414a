#include "capi/records.h"

#include <cstdio>

#include "base/error.h"
#include "core/text/utf8_gate.h"

namespace rpt::capi {

namespace {

[[noreturn]] void argument(const std::string& text, int64_t offset = -1) {
    throw Error(Status::kArgument, "rpt", text, offset);
}

// C0, DEL and C1 (U+0080 to U+009F, which UTF-8 writes as C2 80 to C2 9F).
size_t first_control(const std::string& text) {
    for (size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0xffu;
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0)) return i;
    }
    return text.size();
}

}  // namespace

void check_record_size(uint32_t size, size_t known, const char* name) {
    if (size == 0) {
        argument(std::string("record \"") + name +
                 "\" is NULL or its struct_size is not set; use its _INIT macro");
    }
    if (size < known || size > kMaxRecord) {
        argument(std::string("struct_size of \"") + name + "\" is " + std::to_string(size) +
                 ", not " + std::to_string(known) +
                 " to 65536; was the host compiled with packed structs?");
    }
}

void check_tail_clear(const unsigned char* tail, size_t size, const char* name) {
    for (size_t i = 0; i < size; ++i) {
        if (tail[i]) {
            throw Error(Status::kUnsupported, "rpt",
                        std::string("record \"") + name +
                            "\" sets a field that this library does not know; use a newer library");
        }
    }
}

void check_flags(uint32_t flags, uint32_t known, const char* name) {
    if (flags & ~known) {
        char bits[16];
        std::snprintf(bits, sizeof bits, "0x%x", flags & ~known);
        argument(std::string("unknown flag bits ") + bits + " in \"" + name + "\"");
    }
}

void check_reserved(uint64_t value, const char* name) {
    if (value) {
        throw Error(
            Status::kUnsupported, "rpt",
            std::string("a reserved field of \"") + name + "\" is set; use a newer library");
    }
}

std::string read_name(const char* text, size_t max_bytes, const char* name) {
    if (!text) argument(std::string("\"") + name + "\" is NULL");
    size_t size = 0;
    while (size <= max_bytes && text[size]) ++size;
    if (size == 0) argument(std::string("\"") + name + "\" is empty");
    if (size > max_bytes) {
        argument(std::string("\"") + name + "\" is longer than " + std::to_string(max_bytes) +
                 " bytes");
    }
    std::string value(text, size);
    const size_t valid = text::valid_utf8_prefix(value);
    if (valid != size) {
        throw Error(
            Status::kUtf8, "rpt",
            std::string("\"") + name + "\" is not valid utf-8 at byte " + std::to_string(valid),
            static_cast<int64_t>(valid));
    }
    const size_t control = first_control(value);
    if (control != size) {
        argument(std::string("\"") + name + "\" holds a control character at byte " +
                     std::to_string(control),
                 static_cast<int64_t>(control));
    }
    return value;
}

std::string read_optional_name(const char* text, size_t max_bytes, const char* name) {
    return text && *text ? read_name(text, max_bytes, name) : std::string();
}

void check_bytes(const void* bytes, size_t size, const char* name) {
    if (!bytes && size) {
        argument(std::string("\"") + name + "\" is NULL but " + std::to_string(size) +
                 " bytes are announced");
    }
}

void check_text(const void* text, size_t size, const char* name) {
    check_bytes(text, size, name);
    const size_t valid = text::valid_utf8_prefix({static_cast<const char*>(text), size});
    if (valid != size) {
        throw Error(
            Status::kUtf8, "rpt",
            std::string("\"") + name + "\" is not valid utf-8 at byte " + std::to_string(valid),
            static_cast<int64_t>(valid));
    }
}

}  // namespace rpt::capi
