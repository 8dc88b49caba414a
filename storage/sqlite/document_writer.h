// The document writer behind storage/store.h.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/segment_edit.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {

// One thread at a time. Holds its key's claim.
class DocumentWriterImpl final : public DocumentWriter {
  public:
    // A new document. `old` is what stands under the key now: then this is a replacement.
    DocumentWriterImpl(std::shared_ptr<StoreImpl> store, uint64_t space, const DocumentSpec& spec,
                       const std::optional<DocumentRow>& old);
    // One that is there already.
    DocumentWriterImpl(std::shared_ptr<StoreImpl> store, DocumentRow row,
                       std::vector<Place> places);
    ~DocumentWriterImpl() override;

    std::optional<size_t> commit(const Edit& edit, const CallControl& control) override;
    std::optional<size_t> stage(std::span<const SegmentRecord> segments,
                                const CallControl& control) override;
    uint64_t commit_bytes() const override { return store_->commit_bytes(); }
    DocumentInfo info() const override { return state_.row.info; }
    std::vector<SegmentInfo> segments() const override;
    std::string read_text(ByteSpan bytes) const override;
    std::vector<int32_t> read_tokens(uint64_t segment_id) const override;

  private:
    // Everything a commit changes; replaced as a whole once its transaction is through.
    struct State {
        DocumentRow row;
        std::vector<Place> places;
    };

    // What a transaction of this writer works on.
    struct Work {
        Connection& connection;
        SpaceChange& change;
        SegmentEdit& segments;
    };

    void check(std::span<const SegmentRecord> segments) const;
    void require_unfinished() const;
    // One transaction: `work` between the preparation of `segments` and the news for searches.
    // Answers as commit().
    std::optional<size_t> transact(
        std::span<const SegmentRecord> segments, const CallControl& control,
        const std::function<void(const Work&, const std::vector<PreparedSegment>&)>& work);
    void release_claim() noexcept;
    std::optional<size_t> apply(Connection& connection, State& state, const Edit& edit,
                                const std::vector<PreparedSegment>& prepared,
                                SegmentEdit& segments) const;
    void put_places(Connection& connection, State& state, const Edit& edit,
                    std::vector<Place> fresh) const;
    void publish_replacement(Connection& connection, State& state, SegmentEdit& segments) const;

    const std::shared_ptr<StoreImpl> store_;
    const std::string key_;
    State state_;
    // A hidden document that holds what is staged; without a number there is none.
    State staged_;
    bool finished_ = false;
    bool claimed_ = true;  // its key: nobody else writes it
};

// Takes a document and its places away; its segments go when nobody else holds them.
void remove_document(Connection& connection, const DocumentRow& row, SegmentEdit& segments);

}  // namespace rpt::storage
