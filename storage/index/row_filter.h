// Which rows a search may return: answered by the database, which alone knows the documents.
#pragma once

#include <cstdint>

#include "storage/index/key_rows.h"

namespace rpt::storage {

// One search, one thread. A search asks about few rows.
class RowFilter {
  public:
    virtual ~RowFilter() = default;
    // Whether any chunk can be left out.
    virtual bool excludes_some() const = 0;
    // The search's filter leaves this chunk out: no document that passes its limits holds it, but
    // the excluded one (or its excluded bytes).
    virtual bool is_excluded(const RowFacts& facts) = 0;
    // The first document that holds it.
    virtual uint64_t document_of(const RowFacts& facts) = 0;
};

}  // namespace rpt::storage
