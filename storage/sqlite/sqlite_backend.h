// Stores in a directory: one SQLite database as the truth, a vector index as a cache beside it.
#pragma once

#include <string>

#include "storage/backend.h"

namespace rpt::storage {

const Backend& sqlite_backend();

// Its parts, as Store::upgrade() and Store::destroy() say.
bool upgrade_store(const std::string& path, const CallControl& control);
void destroy_store(const std::string& path);

}  // namespace rpt::storage
