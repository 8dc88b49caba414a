// Failing allocations: operator new of the whole program (Op::kNew), and SQLite's (Op::kSqlMalloc).
// Linking this file replaces operator new; install_sqlite_memory() puts itself under SQLite.
#pragma once

namespace rpt::fault {

// Before any connection is open. Called again it does nothing. Also turns SQLite's lookaside memory
// off, so that every allocation is seen.
void install_sqlite_memory();

}  // namespace rpt::fault
