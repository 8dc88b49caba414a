// The text of an HTML page as a person sees it.
#pragma once

#include <string>
#include <string_view>

namespace rpt::cli {

// Whether a name ends as those of HTML files do: .html, .htm, .xhtml, in any case.
bool is_html_name(std::string_view name);
// The encoding that the first bytes of a page declare; empty if they do not.
std::string declared_encoding(std::string_view head);

// Tags go, scripts, styles and comments with all in them; entities become characters; a block
// begins a line, and runs of white space are one space but in <pre>. `html` is UTF-8 of at most
// kMaxHtmlBytes. The page is read at once: the parser of libxml2 that takes pieces loses text where
// a script is cut.
std::string text_of_html(std::string_view html);

inline constexpr size_t kMaxHtmlBytes = 256 << 20;

}  // namespace rpt::cli
