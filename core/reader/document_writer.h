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
//
// Chunk records: the model's input is <|bos|>, then the text's tokens; chunk j holds input
// positions [j m, (j + 1) m) and spans the bytes of its text tokens (chunk 0 thus has m - 1 of
// them). Spans count the original bytes, also where invalid ones were replaced; the stored text is
// the original.
class DocumentWriter {
  public:
    // Throws what Space::begin_document throws; kUnsupported if the model has no retriever, whose
    // keys a document needs.
    DocumentWriter(std::shared_ptr<const engine::Engine> engine,
                   std::shared_ptr<storage::Space> space, const storage::DocumentSpec& spec,
                   text::Utf8Gate::Mode mode);
    ~DocumentWriter();

    // All bytes or none: invalid UTF-8 is refused with its document offset before anything is
    // taken. Encodes blocks as they fill; what is encoded is not durable before flush(), but past
    // 32 MiB of states the whole chunks are committed early, to bound memory. A call that fails
    // later than the check of its bytes (cancel, device, early commit) has accepted them all, as
    // bytes_accepted() tells; the work is then taken up by the next call.
    void append(std::string_view bytes, const CallControl& control = {});
    // Complete chunks become durable and searchable (a replacement: durable only), with all text up
    // to the last whole code point. With `tail` the unfinished chunk and the text whose tokens
    // could still change too, provisionally, as far as they fit into the current block; every later
    // flush supersedes them. After a failure the call may be made again.
    storage::DocumentInfo flush(bool tail, const CallControl& control = {});
    // Flush with tail, end of the document, publication of a replacement. A cut code point throws
    // kUtf8 with its offset and leaves the writer open. After any other failure only finish() (or
    // the destructor) may follow. An empty document is legal: it has text of no bytes and no
    // chunks.
    storage::DocumentInfo finish(const CallControl& control = {});
    uint64_t bytes_accepted() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace rpt::reader
