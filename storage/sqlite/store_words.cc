// Searches by text.
#include <set>

#include "storage/sqlite/chunk_documents.h"
#include "storage/sqlite/space_impl.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {

std::vector<Hit> StoreImpl::search_words(std::span<const std::shared_ptr<Space>> spaces,
                                         std::string_view text, WordLeg leg, size_t k,
                                         const SearchFilter& filter, const CallControl& control) {
    control.check();
    const std::vector<const SpaceImpl*> searched = searched_spaces(spaces);
    ConnectionPool::Lease lease(readers_);
    std::vector<std::shared_ptr<const WordSnapshot>> snapshots;
    std::set<uint64_t> seen;
    for (const SpaceImpl* space : searched) {
        seen.insert(space->id());
        snapshots.push_back(words_.at(*lease, space->require_row(*lease), control));
    }
    ChunkDocuments documents(*lease, filter, seen);
    return storage::search_words(snapshots, text, leg, k, filter, documents, control);
}

}  // namespace rpt::storage
