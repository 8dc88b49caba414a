// Results to stdout, remarks to stderr.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "apps/rpt/settings.h"

namespace rpt::cli {

// One line of JSON. Text that was cut inside a code point is shown with U+FFFD.
void print_json(const nlohmann::ordered_json& value);
// Throws Failure when stdout cannot take it (a full disk, a reader that went away).
void print(std::string_view text);
void print_line(std::string_view text);
void flush_output();
void remark(const Settings& settings, std::string_view text);

// The first line of `text` that has something on it, at most `width` code points, control
// characters taken out.
std::string first_line(std::string_view text, size_t width);
// Whole code points only: cut ones become U+FFFD, control characters other than line ends and tabs
// too.
std::string printable(std::string_view text);

}  // namespace rpt::cli
