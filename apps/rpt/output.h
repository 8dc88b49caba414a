// Results to stdout, remarks to stderr.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "apps/rpt/settings.h"

namespace rpt::cli {

// One line of JSON, on its way at once. Text that was cut inside a code point is shown with U+FFFD.
void print_json(const nlohmann::ordered_json& value);
// Throws Failure when stdout cannot take it (a full disk, a stream that was closed). A reader that
// went away is no failure: the rest is dropped, and reader_left() says so to whoever would go on
// for it.
void print(std::string_view text);
void print_line(std::string_view text);
void flush_output();
bool reader_left();
// To stderr; what it cannot take is dropped.
void complain(std::string_view text);
// complain() of one line, unless --quiet was given.
void remark(const Settings& settings, std::string_view text);

// The first line of `text` that has something on it, at most `width` code points, control
// characters taken out.
std::string first_line(std::string_view text, size_t width);
// Whole code points only: cut ones become U+FFFD, control characters other than line ends and tabs
// too. Every line end becomes LF.
std::string printable(std::string_view text);

}  // namespace rpt::cli
