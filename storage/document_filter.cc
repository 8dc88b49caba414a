#include "storage/document_filter.h"

namespace rpt::storage {
namespace {

bool continues_character(char byte) {
    return (static_cast<uint8_t>(byte) & 0xC0) == 0x80;
}

}  // namespace

bool matches_pattern(std::string_view key, std::string_view pattern) {
    size_t k = 0, p = 0;
    // where to go on if what stands behind the last `*` does not match
    size_t star = std::string_view::npos, retry = 0;
    while (k < key.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            retry = k;
        } else if (p < pattern.size() && pattern[p] == '?') {
            for (++k; k < key.size() && continues_character(key[k]);) ++k;
            ++p;
        } else if (p < pattern.size() && pattern[p] == key[k]) {
            ++k;
            ++p;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            k = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

bool limits_documents(const SearchFilter& filter) {
    return filter.since_ms || filter.before_ms || !filter.key_pattern.empty();
}

bool leaves_documents_out(const SearchFilter& filter) {
    return !filter.exclude_key.empty() || limits_documents(filter);
}

bool passes_document(const SearchFilter& filter, std::string_view key, int64_t timestamp_ms) {
    if (filter.since_ms && timestamp_ms < *filter.since_ms) return false;
    if (filter.before_ms && timestamp_ms >= *filter.before_ms) return false;
    return filter.key_pattern.empty() || matches_pattern(key, filter.key_pattern);
}

}  // namespace rpt::storage
