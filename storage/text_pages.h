// The original text of a document in compressed pages of 64 KiB, read from any offset, appended at
// the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/catalogue.h"
#include "storage/sqlite_connection.h"

namespace rpt::storage {

// Where appending goes on. A value, so that a flush that fails leaves its writer's copy as it was.
struct TextTail {
    std::string raw;        // the last page, if it is not full
    uint64_t raw_disk = 0;  // what it takes on disk now
};

// Appends to the document whose text is row.info.bytes long, and counts row's bytes up. With
// text_discarded: counts only.
void append_text(Connection& connection, DocumentRow& row, TextTail& tail, std::string_view text,
                 int level);
// At most `size` bytes from `offset`, short only at the end. kUnsupported if the text was
// discarded, kCorrupt.
std::string read_text_pages(Connection& connection, const DocumentRow& row, uint64_t offset,
                            uint64_t size);

}  // namespace rpt::storage
