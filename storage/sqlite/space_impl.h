// The space behind storage/store.h.
#pragma once

#include <memory>
#include <string>

#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {

// Shared by threads: holds a number and two names, all state is the store's.
class SpaceImpl final : public Space {
  public:
    SpaceImpl(std::shared_ptr<StoreImpl> store, SpaceRow row)
        : store_(std::move(store)), row_(std::move(row)) {}

    const std::string& owner() const override { return row_.owner; }
    const std::string& collection() const override { return row_.collection; }
    std::unique_ptr<DocumentWriter> begin_document(const DocumentSpec& spec) override;
    std::unique_ptr<DocumentWriter> resume_document(std::string_view key) override;
    bool has_segment(const Digest& identity) override;
    std::optional<DocumentInfo> find_document(std::string_view key) override;
    void delete_document(std::string_view key) override;
    void list_documents(std::string_view after_key,
                        const std::function<bool(const DocumentInfo&)>& visit) override;
    std::vector<SegmentInfo> list_segments(std::string_view key) override;
    std::optional<SegmentInfo> segment_at(std::string_view key, uint64_t number) override;
    std::string read_text(std::string_view key, uint64_t offset, size_t size) override;
    std::optional<ChunkRecord> read_chunk(std::string_view key, uint64_t ordinal) override;
    void set_budget(uint64_t bytes) override { store_->set_space_budget(row_.id, bytes); }

    uint64_t id() const { return row_.id; }
    const StoreImpl& store() const { return *store_; }
    // The space as it stands; kNotFound if it was dropped.
    SpaceRow require_row(Connection& connection) const;

  private:
    const std::shared_ptr<StoreImpl> store_;
    const SpaceRow row_;
};

}  // namespace rpt::storage
