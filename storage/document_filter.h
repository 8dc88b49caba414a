// Which documents a search may find chunks of, by key and time.
#pragma once

#include <cstdint>
#include <string_view>

#include "storage/records.h"

namespace rpt::storage {

// `*` stands for any bytes, slashes too, `?` for one character; all else for itself.
bool matches_pattern(std::string_view key, std::string_view pattern);

// The filter's limits of time and its pattern; its excluded document does not count here.
bool passes_document(const SearchFilter& filter, std::string_view key, int64_t timestamp_ms);

// Whether passes_document() can be false.
bool limits_documents(const SearchFilter& filter);

// Whether a document can be left out, by its limits or as the excluded one.
bool leaves_documents_out(const SearchFilter& filter);

}  // namespace rpt::storage
