// Stores of formats 2 to 4, brought to the present one where they stand.
#pragma once

#include <cstdint>

#include "base/cancel.h"
#include "storage/sqlite/sqlite_connection.h"

namespace rpt::storage {

// Adds the table of pointer keys and their width, 0; to formats 2 and 3 the sums over the places of
// documents; to format 2 the width of keys. One transaction: whole or not at all. kCorrupt,
// kNoSpace, kCancelled.
void upgrade_in_place(Connection& connection, uint32_t version, const CallControl& control);

}  // namespace rpt::storage
