// The databases that the suite runs over.
#include "storage/sqlite/sqlite_backend.h"
#include "tests/conformance/conformance.h"

namespace rpt::storage {

INSTANTIATE_TEST_SUITE_P(Sqlite, Conformance, testing::Values(&sqlite_backend()));

}  // namespace rpt::storage
