// UTF-8 to code points and back.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rpt::cli {

// Each byte that is no UTF-8 becomes U+FFFD.
std::u32string code_points(std::string_view text);
void append_utf8(std::string& out, char32_t point);
// The first bytes, at most `size`, in whole code points.
std::string_view first_bytes(std::string_view text, size_t size);

}  // namespace rpt::cli
