// The keys of one space as its index reads them from the tables.
#pragma once

#include "storage/index/key_source.h"
#include "storage/sqlite/chunk_table.h"

namespace rpt::storage {

class SpaceKeys final : public KeySource {
  public:
    SpaceKeys(Connection& connection, uint64_t space, uint32_t key_dim)
        : connection_(connection), space_(space), key_dim_(key_dim) {}

    std::shared_ptr<const KeyRows> rows_after(uint64_t chunk) override {
        return load_space_rows(connection_, space_, chunk, key_dim_);
    }
    std::shared_ptr<const KeyRows> rows_of(std::span<const uint64_t> chunks) override {
        return load_some_rows(connection_, space_, chunks, key_dim_);
    }
    std::vector<ChunkSeal> seals() override { return list_chunk_seals(connection_, space_); }
    const std::string& label() const override { return connection_.label(); }

  private:
    Connection& connection_;
    const uint64_t space_;
    const uint32_t key_dim_;
};

}  // namespace rpt::storage
