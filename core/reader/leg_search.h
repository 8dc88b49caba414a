// What each leg finds for one question.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "core/reader/search_legs.h"
#include "storage/store.h"

namespace rpt::reader {

// Asks in the union of some spaces. Borrows all but the spaces' handles.
class LegSearch {
  public:
    LegSearch(const engine::Engine& engine,
              const std::vector<std::shared_ptr<storage::Space>>& spaces, storage::Store& store)
        : engine_(engine), spaces_(spaces), store_(store) {}

    // The query [w] of the last chunk of `text`, the unfinished one if there is no whole one.
    std::vector<float> key_query(std::string_view text, const CallControl& control) const;
    // At most `n` hits of each leg of `legs`, which the model has. The states are asked with the
    // last tokens of the text that fit a chunk, about the best of the others, whether these are
    // asked for or not.
    LegHits find(std::string_view text, uint32_t legs, size_t n,
                 const storage::SearchFilter& filter, const CallControl& control) const;

  private:
    std::vector<int32_t> tokens_of(std::string_view text) const;
    std::vector<storage::Hit> find_by_states(std::span<const float> asked, const LegHits& others,
                                             size_t n, const CallControl& control) const;

    const engine::Engine& engine_;
    const std::vector<std::shared_ptr<storage::Space>>& spaces_;
    storage::Store& store_;
};

}  // namespace rpt::reader
