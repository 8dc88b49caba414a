// The documents of one owner's collection: written by a writer, read through the space.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "storage/records.h"

namespace rpt::storage {

// A writer of one document. One thread at a time. Destroying it unfinished keeps what was committed
// (a replacement: nothing changes).
class DocumentWriter {
  public:
    virtual ~DocumentWriter() = default;
    // One transaction: durable as the store's durability says, then visible to searches (a
    // replacement: not before finish). Returns the place in edit.segments of a known segment that
    // the space has lost meanwhile, which must be given in full: then, as after a failure, nothing
    // has changed. A finished document that is changed is unfinished until the next finish.
    virtual std::optional<size_t> commit(const Edit& edit, const CallControl& control = {}) = 0;
    // Brings segments of an edit into the space ahead of its commit, in a transaction of their own;
    // the edit then names them as known. What is staged is held until this writer's next commit or
    // its end, and no search sees it. Answers as commit() does.
    virtual std::optional<size_t> stage(std::span<const SegmentRecord> segments,
                                        const CallControl& control = {}) = 0;
    // Bytes that one commit may bring without breaking a budget; an edit is cut at segments.
    virtual uint64_t commit_bytes() const = 0;
    virtual DocumentInfo info() const = 0;
    // Of what is committed, in order.
    virtual std::vector<SegmentInfo> segments() const = 0;
    virtual std::string read_text(ByteSpan bytes) const = 0;
    virtual std::vector<int32_t> read_tokens(uint64_t segment_id) const = 0;
};

// (owner, collection) of one store, held as a handle: there is no other way to its chunks. Shared
// by threads. Keeps its store alive.
class Space {
  public:
    virtual ~Space() = default;
    virtual const std::string& owner() const = 0;
    virtual const std::string& collection() const = 0;
    // kExists if the key is there and `replace` is not set; kBusy if it is being written.
    virtual std::unique_ptr<DocumentWriter> begin_document(const DocumentSpec& spec) = 0;
    // Goes on with a document that is there, finished or not. kNotFound, kBusy.
    virtual std::unique_ptr<DocumentWriter> resume_document(std::string_view key) = 0;
    virtual bool has_segment(const Digest& identity) = 0;
    virtual std::optional<DocumentInfo> find_document(std::string_view key) = 0;
    virtual void delete_document(std::string_view key) = 0;  // kNotFound
    // In byte order of keys, after `after_key`; from a snapshot; `visit` returning false ends it.
    virtual void list_documents(std::string_view after_key,
                                const std::function<bool(const DocumentInfo&)>& visit) = 0;
    virtual std::vector<SegmentInfo> list_segments(std::string_view key) = 0;  // kNotFound
    // One of them, by its number from 0, without reading the others; nothing behind the last.
    // kNotFound.
    virtual std::optional<SegmentInfo> segment_at(std::string_view key, uint64_t number) = 0;
    // Original bytes from `offset`, at most `size`; short only at the end. kUnsupported if the text
    // was discarded.
    virtual std::string read_text(std::string_view key, uint64_t offset, size_t size) = 0;
    // The record of one chunk as stored, bytes counted in the document, states decoded (empty if
    // they were dropped).
    virtual std::optional<ChunkRecord> read_chunk(std::string_view key, uint64_t ordinal) = 0;
    // Bytes on disk that the space may take; 0: no limit. kNoSpace if keys and texts alone are
    // more.
    virtual void set_budget(uint64_t bytes) = 0;
};

}  // namespace rpt::storage
