// Pointer keys of a space, and what they leave of the cache to states.
#include <algorithm>

#include "storage/sqlite/space_impl.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {

void StoreImpl::share_cache() {
    states_.set_limit(options_.cache_bytes - std::min(options_.cache_bytes, pointers_.bytes()));
}

std::shared_ptr<const PointerSnapshot> StoreImpl::pointers(const std::shared_ptr<Space>& space,
                                                           const CallControl& control) {
    control.check();
    const SpaceImpl& own = require_own(space);
    ConnectionPool::Lease lease(readers_);
    auto snapshot = pointers_.at(*lease, own.require_row(*lease), model_.pointer_dim, control);
    share_cache();
    return snapshot;
}

}  // namespace rpt::storage
