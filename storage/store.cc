// Which database a path means. There is one today; another one is chosen here, by how its path
// begins.
#include "storage/store.h"

#include "storage/sqlite/sqlite_backend.h"

namespace rpt::storage {

std::shared_ptr<Store> Store::open(const std::string& path, const StoreOptions& options) {
    return sqlite_backend().open(path, options);
}

bool Store::upgrade(const std::string& path, const CallControl& control) {
    return sqlite_backend().upgrade(path, control);
}

void Store::destroy(const std::string& path) {
    sqlite_backend().destroy(path);
}

}  // namespace rpt::storage
