// Pointer keys of a space, and what they leave of the cache to states.
#include <algorithm>

#include "storage/document_filter.h"
#include "storage/sqlite/chunk_documents.h"
#include "storage/sqlite/pointer_table.h"
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

std::vector<uint64_t> StoreImpl::hidden_chunks(const std::shared_ptr<Space>& space,
                                               const SearchFilter& filter,
                                               const CallControl& control) {
    const SpaceImpl& own = require_own(space);
    std::vector<uint64_t> hidden;
    if (!leaves_documents_out(filter)) return hidden;
    ConnectionPool::Lease lease(readers_);
    const SpaceRow row = own.require_row(*lease);
    ChunkDocuments documents(*lease, filter, {row.id});
    for (const VisibleChunk& chunk : list_visible_chunks(*lease, row)) {
        control.check();
        if (documents.is_excluded({chunk.chunk, chunk.segment, chunk.key_seal}))
            hidden.push_back(chunk.chunk);
    }
    return hidden;
}

}  // namespace rpt::storage
