// From the bytes of a file or a stream to the text that a memory keeps.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "apps/rpt/html_text.h"
#include "apps/rpt/text_decoder.h"
#include "apps/rpt/utf8_scan.h"

namespace rpt::cli {

// How bytes are to be taken, as the command line says.
struct TextForm {
    std::string encoding;      // of what has no byte order mark; empty: UTF-8
    bool lossy = false;        // what is invalid is kept and read as U+FFFD
    bool html_source = false;  // HTML as it stands, with its tags
};

// Fed with pieces of any size. Takes away a byte order mark, turns other encodings into UTF-8 and
// HTML into its text, and finds out what is no text.
class TextReader {
  public:
    // A prompt is a text that is read whole; the options of TextForm are not for it.
    enum class Source { kStream, kFile, kPrompt };
    // `name` tells by its ending that this is HTML. Of a file the first piece decides two things
    // more: with a NUL byte near the start it is no text, as for git; and if its lines end in CR
    // alone they end in LF from here on, which models know better, at the same offsets.
    TextReader(const TextForm& form, std::string name, Source source);

    // Appends text of whole characters. False at what is no text; what came before it was appended.
    bool feed(std::string_view bytes, std::string& text);
    bool finish(std::string& text);
    // What is not text about it, and what to try.
    const std::string& problem() const { return problem_; }

  private:
    bool begin(bool is_end);
    bool look_at_head();
    bool take(std::string_view bytes, std::string& text, bool is_end);
    bool check(std::string_view bytes, std::string& text, bool is_end);

    const TextForm form_;
    const std::string name_;
    const Source source_;
    std::string head_;  // until there is enough of it
    bool begun_ = false, ends_in_cr_ = false, has_nul_ = false;
    std::optional<TextDecoder> decoder_;
    std::optional<std::string> html_;  // a page so far
    Utf8Scan scan_;
    std::string cut_;  // a character that the next piece completes
    std::string problem_;
};

}  // namespace rpt::cli
