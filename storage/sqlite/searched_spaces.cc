// Which spaces a search covers.
#include <algorithm>

#include "base/error.h"
#include "storage/sqlite/space_impl.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {
namespace {

constexpr size_t kMaxSpaces = 64;

}  // namespace

const SpaceImpl& StoreImpl::require_own(const std::shared_ptr<Space>& space) const {
    const auto* own = dynamic_cast<const SpaceImpl*>(space.get());
    if (own == nullptr || &own->store() != this)
        throw Error(Status::kArgument, "rpt", "a space of another store was given to a search");
    return *own;
}

std::vector<const SpaceImpl*> StoreImpl::searched_spaces(
    std::span<const std::shared_ptr<Space>> spaces) const {
    if (spaces.empty() || spaces.size() > kMaxSpaces)
        throw Error(Status::kArgument, "rpt",
                    "a search takes 1 to 64 spaces, not " + std::to_string(spaces.size()));
    std::vector<const SpaceImpl*> distinct;
    for (const std::shared_ptr<Space>& handle : spaces) {
        const SpaceImpl& space = require_own(handle);
        if (std::ranges::none_of(distinct,
                                 [&](const SpaceImpl* known) { return known->id() == space.id(); }))
            distinct.push_back(&space);
    }
    return distinct;
}

}  // namespace rpt::storage
