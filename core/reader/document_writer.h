// Bytes of one document into segments in a store: gate, borders, encoder, commits; and edits.
#pragma once

#include <memory>
#include <string_view>

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "core/text/segmenter.h"
#include "core/text/utf8_gate.h"
#include "storage/store.h"

namespace rpt::reader {

struct SpliceResult {
    ByteSpan bytes;       // of the new text: what was looked at again
    uint64_t tokens = 0;  // encoded; segments that the space knew cost none
};

// Law: a finished document's records depend on its text alone, however it was appended, flushed and
// spliced. One thread at a time.
//
// The text is cut into segments by text::Segmenter; each is encoded by itself (SegmentEncoder) and
// only if its space does not hold it already. Spans count the original bytes, also where invalid
// ones are read as U+FFFD; the stored text is the original.
class DocumentWriter {
  public:
    // Throws what Space::begin_document throws; kUnsupported if the model has no retriever, whose
    // keys a document needs.
    DocumentWriter(std::shared_ptr<const engine::Engine> engine,
                   std::shared_ptr<storage::Space> space, const storage::DocumentSpec& spec,
                   text::Utf8Gate::Mode mode, uint32_t context_tokens,
                   text::SegmenterOptions borders = {});
    // Goes on with a document that is there. kUnsupported if its text was discarded.
    DocumentWriter(std::shared_ptr<const engine::Engine> engine,
                   std::shared_ptr<storage::Space> space, std::string_view key,
                   text::Utf8Gate::Mode mode, uint32_t context_tokens,
                   text::SegmenterOptions borders = {});
    ~DocumentWriter();

    // All bytes or none: invalid UTF-8 is refused with its document offset before anything is
    // taken. Segments are encoded as they close; what is encoded is not durable before flush(), but
    // past a bound whole segments are committed early, to bound memory. A call that fails later
    // than the check of its bytes (cancel, device, early commit) has accepted them all, as
    // bytes_accepted() tells; the work is then taken up by the next call.
    void append(std::string_view bytes, const CallControl& control = {});
    // All text up to the last whole code point becomes durable, and complete chunks searchable (a
    // replacement: durable only). With `tail` the unfinished chunk too, provisionally: every later
    // flush supersedes it. After a failure the call may be made again.
    storage::DocumentInfo flush(bool tail, const CallControl& control = {});
    // Replaces the bytes [begin, end) of the text by `bytes` and commits, in one transaction. Only
    // segments around the change are encoded. kArgument for a span outside the text or, where
    // invalid bytes are refused, one that cuts a code point, kUtf8 for invalid bytes (offset in
    // `bytes`): the text has not changed then. The document is unfinished until finish().
    SpliceResult splice(ByteSpan where, std::string_view bytes, const CallControl& control = {});
    // Writes all, ends the document, publishes a replacement. A cut code point throws kUtf8 with
    // its offset and leaves the writer open; so does any other failure. An empty document is legal.
    storage::DocumentInfo finish(const CallControl& control = {});
    uint64_t bytes_accepted() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace rpt::reader
