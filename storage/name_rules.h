// What may be a name: of an owner, a collection, a document.
#pragma once

#include <cstddef>
#include <string_view>

namespace rpt::storage {

constexpr size_t kMaxSpaceNameBytes = 255;
constexpr size_t kMaxKeyBytes = 1023;
constexpr size_t kMaxUriBytes = 64 * 1024;
constexpr size_t kMaxMetaBytes = 64 * 1024;

// kArgument naming `what`, with the offset of the byte at fault: empty, too long, not UTF-8, or a
// control character.
void check_name(std::string_view name, const char* what, size_t max_bytes);
// As above, but empty is legal.
void check_text(std::string_view text, const char* what, size_t max_bytes);

}  // namespace rpt::storage
