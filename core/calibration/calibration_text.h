// What a model reads when nobody gives it a text to be fitted on: 15 kB, part of the library.
#pragma once

#include <string_view>

namespace rpt::calibration {

// Prose in the public domain; the others are under this project's own licence. An untrained memory
// follows from every byte of them, so a change gives new memories another fingerprint.
std::string_view calibration_prose();
std::string_view calibration_cpp();
std::string_view calibration_python();
std::string_view calibration_page();

}  // namespace rpt::calibration
