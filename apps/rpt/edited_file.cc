#include "apps/rpt/edited_file.h"

#include <filesystem>
#include <vector>

#include "apps/rpt/line_ends.h"
#include "apps/rpt/stored_documents.h"

namespace rpt::cli {

std::string text_up_to_line(const std::string& text, uint64_t line, const std::string& path) {
    std::vector<uint64_t> ends;  // of line breaks
    LineEnds lines;
    lines.feed(text, ends);
    lines.finish(ends);
    const uint64_t last = ends.empty() ? 0 : ends.back() + 1;
    const uint64_t count = ends.size() + (last < text.size() ? 1 : 0);
    if (line > count)
        throw Failure("\"" + path + "\" has " + std::to_string(count) +
                          (count == 1 ? " line" : " lines") + ", not " + std::to_string(line) +
                          "; give --line a smaller number",
                      kExitUsage);
    std::string before = line > ends.size() ? text : text.substr(0, ends[line - 1]);
    if (!before.empty() && before.back() == '\r') before.pop_back();
    return before;
}

std::string document_of_file(const Workplace& place, const std::string& path) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
    if (error) return {};
    for (const Space& space : place.spaces) {
        const DocumentChoice choice = StoredDocuments(space.get()).choose(path, real);
        if (choice.is_own) return choice.key;
    }
    return {};
}

}  // namespace rpt::cli
