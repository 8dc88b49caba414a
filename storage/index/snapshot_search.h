// The best chunks of some snapshots.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "storage/index/row_filter.h"
#include "storage/index/snapshot.h"
#include "storage/records.h"

namespace rpt::storage {

// query: [dim]. Best first, ties to the lower chunk id. Filters lose nothing: where an approximate
// search was thinned out, more is fetched, in the end everything.
std::vector<Hit> search_snapshots(std::span<const std::shared_ptr<const Snapshot>> snapshots,
                                  std::span<const float> query, size_t k,
                                  const SearchFilter& filter, RowFilter& documents,
                                  const CallControl& control);

}  // namespace rpt::storage
