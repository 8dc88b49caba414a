// The document writer behind storage/store.h.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/sha256.h"
#include "storage/catalogue.h"
#include "storage/store_impl.h"
#include "storage/text_pages.h"

namespace rpt::storage {

// One thread at a time. Holds its key's claim.
class DocumentWriterImpl final : public DocumentWriter {
  public:
    // `old` is what stands under the key now: then this is a replacement.
    DocumentWriterImpl(std::shared_ptr<StoreImpl> store, uint64_t space, const DocumentSpec& spec,
                       const std::optional<DocumentRow>& old);
    ~DocumentWriterImpl() override;

    void commit(const Flush& flush, const CallControl& control) override;
    DocumentInfo info() const override { return state_.row.info; }

  private:
    // Everything a flush changes; replaced as a whole once its transaction is through.
    struct State {
        DocumentRow row;
        TextTail tail;
        Sha256 hash;
    };

    void check(const Flush& flush) const;
    void write_chunks(Connection& connection, State& state, const Flush& flush, IndexChange& change,
                      const CallControl& control) const;
    void publish_replacement(Connection& connection, State& state, IndexChange& change) const;

    const std::shared_ptr<StoreImpl> store_;
    const std::string key_;
    const uint64_t key_hash_;
    State state_;
    bool finished_ = false;
};

// Deletes a document and notes in `change` which chunks go from searches.
void remove_chunks(Connection& connection, const DocumentRow& row, IndexChange& change);

}  // namespace rpt::storage
