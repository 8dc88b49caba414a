// Bytes of one document into chunk records: gate, tokenizer, canonical blocks, store.
#pragma once

#include <memory>
#include <string_view>

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "core/text/utf8_gate.h"
#include "storage/store.h"

namespace rpt::reader {

// Law: any split of the appends leaves byte-identical chunk records. One thread at a time.
class DocumentWriter {
  public:
    DocumentWriter(std::shared_ptr<const engine::Engine> engine, std::shared_ptr<storage::Space> space,
                   const storage::DocumentSpec& spec, text::Utf8Gate::Mode mode);
    ~DocumentWriter();

    // All bytes or none: invalid UTF-8 is refused with its document offset before anything is taken. Encodes blocks as
    // they fill; what is encoded is not durable before flush(). A cancelled call has accepted its bytes or none, as
    // bytes_accepted() tells.
    void append(std::string_view bytes, const CallControl& control = {});
    // Complete chunks become durable and searchable (a replacement: durable only). With `tail` the unfinished
    // chunk too, provisionally.
    storage::DocumentInfo flush(bool tail, const CallControl& control = {});
    // Flush with tail, end of the document, publication of a replacement. A cut code point throws kUtf8 with its
    // offset and leaves the writer open. An empty document is legal: it has text of no bytes and no chunks.
    storage::DocumentInfo finish(const CallControl& control = {});
    uint64_t bytes_accepted() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace rpt::reader
