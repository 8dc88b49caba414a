#include "apps/rpt/document_key.h"

#include "apps/rpt/utf8_scan.h"

namespace rpt::cli {
namespace {

constexpr std::string_view kMark = "escaped:";
constexpr std::string_view kDigits = "0123456789ABCDEF";

// Bytes at the start of `text` that may stand in a name as they are, 0 if there are none.
size_t plain_size(std::string_view text) {
    const size_t size = code_point_size(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (size == 1 && (first < 0x20 || first == 0x7f)) return 0;
    // U+0080 to U+009F are controls too
    if (size == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) return 0;
    return size;
}

bool is_plain(std::string_view text) {
    while (!text.empty()) {
        const size_t size = plain_size(text);
        if (size == 0) return false;
        text.remove_prefix(size);
    }
    return true;
}

}  // namespace

std::string name_of_path(std::string_view path) {
    if (is_plain(path) && !path.starts_with(kMark)) return std::string(path);
    std::string out(kMark);
    while (!path.empty()) {
        const size_t size = path[0] == '%' ? 0 : plain_size(path);
        if (size > 0) {
            out += path.substr(0, size);
        } else {
            const auto byte = static_cast<unsigned char>(path[0]);
            out += '%';
            out += kDigits[byte >> 4];
            out += kDigits[byte & 15];
        }
        path.remove_prefix(size > 0 ? size : 1);
    }
    return out;
}

std::filesystem::path path_of_name(std::string_view name) {
    if (!name.starts_with(kMark)) return name;
    name.remove_prefix(kMark.size());
    std::string out;
    while (!name.empty()) {
        const size_t high = name.size() > 2 ? kDigits.find(name[1]) : std::string_view::npos;
        const size_t low = name.size() > 2 ? kDigits.find(name[2]) : std::string_view::npos;
        const bool escaped = name[0] == '%' && high < 16 && low < 16;
        out += escaped ? static_cast<char>(high * 16 + low) : name[0];
        name.remove_prefix(escaped ? 3 : 1);
    }
    return out;
}

bool is_path_form(const std::filesystem::path& given, const std::filesystem::path& absolute) {
    if (given == absolute) return true;
    std::string_view tail = given.native();
    while (tail.starts_with("../")) tail.remove_prefix(3);
    const std::string& whole = absolute.native();
    return !tail.empty() && whole.size() > tail.size() && whole.ends_with(tail) &&
           whole[whole.size() - tail.size() - 1] == '/';
}

}  // namespace rpt::cli
