// Which documents hold the chunks that a search meets.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "storage/index/row_filter.h"
#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/sqlite_connection.h"
#include "storage/store.h"

namespace rpt::storage {

// One search, one thread, inside the caller's read transaction; asked about few rows and
// remembering the answers.
class ChunkDocuments final : public RowFilter {
  public:
    ChunkDocuments(Connection& connection, const SearchFilter& filter,
                   const std::set<uint64_t>& spaces);

    bool excludes_some() const override;
    bool is_excluded(const RowFacts& facts) override;
    uint64_t document_of(const RowFacts& facts) override;

  private:
    // Where the excluded documents hold a segment, as bytes where it begins.
    const std::vector<uint64_t>& begins_of(uint64_t segment);
    // Documents that hold the segment and pass the filter's limits, ascending; the excluded ones
    // too.
    const std::vector<uint64_t>& holders_of(uint64_t segment);

    Connection& connection_;
    const SearchFilter& filter_;
    std::map<uint64_t, DocumentRow> excluded_documents_;  // by number
    std::map<uint64_t, std::vector<uint64_t>> begins_;    // by segment
    std::map<uint64_t, std::vector<uint64_t>> holders_;   // likewise
};

}  // namespace rpt::storage
