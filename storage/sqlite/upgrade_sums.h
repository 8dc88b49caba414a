// Stores of formats 2 and 3, brought to format 4 where they stand.
#pragma once

#include <cstdint>

#include "base/cancel.h"
#include "storage/sqlite/sqlite_connection.h"

namespace rpt::storage {

// Adds the sums over the places of documents, and the width of keys where format 2 had none. One
// transaction: whole or not at all. kCorrupt, kNoSpace, kCancelled.
void add_place_sums(Connection& connection, uint32_t version, const CallControl& control);

}  // namespace rpt::storage
