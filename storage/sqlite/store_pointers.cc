// Pointer keys of a space, and what they leave of the cache to states.
#include <algorithm>

#include "base/error.h"
#include "storage/sqlite/space_impl.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {

const SpaceImpl& StoreImpl::require_own(const std::shared_ptr<Space>& space) const {
    const auto* own = dynamic_cast<const SpaceImpl*>(space.get());
    if (own == nullptr || &own->store() != this)
        throw Error(Status::kArgument, "rpt", "a space of another store was given to a search");
    return *own;
}

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
