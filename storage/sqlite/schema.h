// The tables of store.sqlite, their version, and how a connection is set up.
#pragma once

#include <cstdint>
#include <string>

#include <sys/types.h>

#include "storage/sqlite/sqlite_connection.h"
#include "storage/store.h"

namespace rpt::storage {

// SQLite's user_version; on disk. Older ones are upgraded (upgrade.cc).
constexpr uint32_t kFormatVersion = 5;
constexpr uint32_t kApplicationId = 0x52505453;  // "RPTS"; on disk, never renumber

// Makes an empty store in a file that does not exist yet, for its owner alone; whole or not at all.
void create_database(const std::string& file, const std::string& label, const ModelBinding& model);
// A file without bytes, which SQLite takes for a new database. kIo if there is one.
void make_empty_file(const std::string& file, mode_t mode);
// Its two halves: tables in a new file of any name, and the name that makes a file the store.
// `mode`: its rights, whatever the umask is; the log and the other files beside it get the same.
void write_database(const std::string& file, const std::string& label, const ModelBinding& model,
                    mode_t mode);
void publish_database(const std::string& fresh, const std::string& file);
// What formats 2 and 3 had not: the table of sums.
extern const char* const kPlaceSumsTable;
// What format 4 had not: the pointer keys of chunks.
extern const char* const kPointersTable;
// Over the model's binding, as the row of `store` has it.
uint32_t seal_of(const ModelBinding& model);
// kCorrupt unless it is a store, kVersion if another version wrote it. Cheap: reads the header and
// one row.
ModelBinding verify_database(Connection& connection);
void configure_writer(Connection& connection, Durability durability);
void configure_reader(Connection& connection);

}  // namespace rpt::storage
