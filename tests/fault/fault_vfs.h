// A VFS of SQLite over the default one, as the new default: every call asks the gate first, and
// tells a PowerCut what changed. The real disk is never synced: tests need the order of syncs, not
// the wait.
#pragma once

namespace rpt::fault {

// Before any connection is open, with install_sqlite_memory. Called again it does nothing.
// A write that fails writes half of its bytes first. Locks never fail. The error codes are those of
// SQLite's own unix VFS: SQLITE_CANTOPEN, SQLITE_IOERR_*, SQLITE_FULL for Cause::kNoSpace.
void install_fault_vfs();

}  // namespace rpt::fault
