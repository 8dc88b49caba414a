// A document as its space has it, to be compared with another as a whole.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "storage/store.h"

namespace rpt::fakes {

struct StoredDocument {
    storage::DocumentInfo info;
    std::string text;  // empty if it was discarded
    std::vector<storage::SegmentInfo> segments;
    std::vector<storage::ChunkRecord> chunks;
};

inline StoredDocument read_document(storage::Space& space, std::string_view key) {
    StoredDocument out;
    const auto info = space.find_document(key);
    if (!info) throw Error(Status::kNotFound, "fake", "no document " + std::string(key));
    out.info = *info;
    if (!info->text_discarded) out.text = space.read_text(key, 0, info->bytes + 1);
    out.segments = space.list_segments(key);
    while (auto chunk = space.read_chunk(key, out.chunks.size()))
        out.chunks.push_back(std::move(*chunk));
    return out;
}

// What differs first between what two documents hold, in words; empty: nothing. Numbers of rows and
// revisions do not count.
inline std::string difference(const StoredDocument& a, const StoredDocument& b) {
    if (a.text != b.text) return "text";
    if (a.info.bytes != b.info.bytes) return "bytes";
    if (a.info.finished != b.info.finished) return "finished";
    if (a.info.content_hash != b.info.content_hash) return "content hash";
    if (a.segments.size() != b.segments.size())
        return std::to_string(a.segments.size()) + " and " + std::to_string(b.segments.size()) +
               " segments";
    for (size_t i = 0; i < a.segments.size(); ++i) {
        const std::string place = " of segment " + std::to_string(i);
        if (a.segments[i].bytes != b.segments[i].bytes) return "bytes" + place;
        if (a.segments[i].chunks != b.segments[i].chunks) return "chunks" + place;
        if (a.segments[i].identity != b.segments[i].identity) return "identity" + place;
    }
    if (a.chunks.size() != b.chunks.size()) return "chunks";
    for (size_t i = 0; i < a.chunks.size(); ++i) {
        const std::string place = " of chunk " + std::to_string(i);
        if (a.chunks[i].bytes != b.chunks[i].bytes) return "bytes" + place;
        if (a.chunks[i].tokens != b.chunks[i].tokens) return "tokens" + place;
        if (a.chunks[i].provisional != b.chunks[i].provisional) return "provisional" + place;
        if (a.chunks[i].key != b.chunks[i].key) return "key" + place;
        if (a.chunks[i].states != b.chunks[i].states) return "states" + place;
        if (a.chunks[i].pointers != b.chunks[i].pointers) return "pointer keys" + place;
    }
    if (a.info.bytes_searchable != b.info.bytes_searchable) return "searchable bytes";
    if (a.info.tokens != b.info.tokens) return "number of tokens";
    if (a.info.chunks != b.info.chunks) return "number of chunks";
    return {};
}

}  // namespace rpt::fakes
