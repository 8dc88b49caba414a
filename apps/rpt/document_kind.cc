#include "apps/rpt/document_kind.h"

#include <algorithm>

namespace rpt::cli {
namespace {

struct Kind {
    std::string_view start;   // its first bytes
    std::string_view inside;  // stands near the start too; empty: nothing
    std::string_view ending;  // of its name; empty: any
    const char* what;
    const char* command;  // writes the text to stdout
};

// The first that fits.
constexpr Kind kKinds[] = {
    {"%PDF-", "", "", "a PDF document", "pdftotext FILE -"},
    {"PK\3\4", "application/epub+zip", "", "an EPUB book", "pandoc -t plain FILE"},
    {"PK\3\4", "", ".epub", "an EPUB book", "pandoc -t plain FILE"},
    {"PK\3\4", "opendocument.text", "", "an OpenDocument text", "pandoc -t plain FILE"},
    {"PK\3\4", "", ".odt", "an OpenDocument text", "pandoc -t plain FILE"},
    {"PK\3\4", "", ".docx", "a Word document", "pandoc -t plain FILE"},
    {"PK\3\4", "", ".xlsx", "a spreadsheet", "xlsx2csv FILE"},
    {"PK\3\4", "", "", "a ZIP archive", "unzip -p FILE NAME"},
    {"\xD0\xCF\x11\xE0", "", ".doc", "an old Word document", "antiword FILE"},
    {"{\\rtf", "", "", "a document in RTF", "pandoc -t plain FILE"},
    {"AT&TFORM", "", "", "a DjVu document", "djvutxt FILE"},
    {"\x1F\x8B", "", "", "compressed", "gzip -dc FILE"},
    {"\xFD"
     "7zXZ",
     "", "", "compressed", "xz -dc FILE"},
    {"BZh", "1AY&SY", "", "compressed", "bzip2 -dc FILE"},
    {"\x28\xB5\x2F\xFD", "", "", "compressed", "zstd -dc FILE"},
};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool ends_with(std::string_view name, std::string_view ending) {
    return name.size() >= ending.size() &&
           std::ranges::equal(name.substr(name.size() - ending.size()), ending, {}, lower);
}

}  // namespace

std::optional<std::string> kind_and_tool(std::string_view head, std::string_view name) {
    for (const Kind& kind : kKinds) {
        if (!head.starts_with(kind.start) || !ends_with(name, kind.ending)) continue;
        if (head.find(kind.inside) == std::string_view::npos) continue;
        return std::string(kind.what) + ", no text; \"" + kind.command + "\" writes its text";
    }
    return std::nullopt;
}

}  // namespace rpt::cli
