// Bytes of a database file that belong to nothing. SQLite's secure_delete clears what a deletion
// frees, but not what stays behind where the rows of neighbouring pages are laid out anew.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "storage/sqlite/sqlite_connection.h"

namespace rpt::storage {

// The unused bytes of a page of a b-tree; `header` is where its header begins (100 on the first
// page of a file). Nothing if it is not such a page or contradicts itself.
std::vector<ByteSpan> find_gaps(std::string_view page, size_t header);

// Clears the gaps of `n` pages from `first` (counted from 1) in the file itself, under SQLite: no
// page means anything else afterwards, whoever reads at the moment and wherever a crash stops it.
// The caller keeps all writers away and has merged the whole log. Call drop_cached_pages() before
// the connection writes again.
void wipe_gaps(Connection& connection, uint64_t first, uint64_t n);

}  // namespace rpt::storage
