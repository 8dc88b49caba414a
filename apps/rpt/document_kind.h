// What files are that hold text but are no text themselves, and which tool gets it out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rpt::cli {

// What a file that begins with `head` is and what to do, in one line: "a PDF document, no text;
// \"pdftotext FILE -\" writes its text". Nothing for text, and for what no tool makes text of.
std::optional<std::string> kind_and_tool(std::string_view head, std::string_view name);

}  // namespace rpt::cli
