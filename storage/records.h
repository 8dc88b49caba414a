// What a memory holds and gives back, as plain values: chunks, segments, documents, hits.
// Knows bytes, keys (float vectors) and states (float matrices); knows no model.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "base/span.h"

namespace rpt::storage {

// What the model that writes a store fixes for good.
struct ModelBinding {
    Digest fingerprint{};
    uint32_t dim = 0;           // of a token's states
    uint32_t chunk_tokens = 0;  // m
    // Tokens before a segment that its encoder may see, counted with the begin-of-text token. 0
    // when opening: whatever the store has.
    uint32_t context_tokens = 0;
    uint32_t key_dim = 0;      // of keys; 0: `dim`
    uint32_t pointer_dim = 0;  // of a token's pointer key; 0: the model has none

    uint32_t key_width() const { return key_dim > 0 ? key_dim : dim; }
};

// What is retrieved as a whole.
struct ChunkRecord {
    ByteSpan bytes;            // of its segment's text
    bool provisional = false;  // unfinished, at the end of an open segment
    std::vector<int32_t> tokens;
    std::vector<float> key;     // [dim]; kept as fp16
    std::vector<float> states;  // [tokens, dim]; kept encoded, dropped first under a budget
    // [tokens, pointer_dim], unit rows; kept in four bits with a scale a row. Empty if the model
    // has none.
    std::vector<float> pointers;
};

// A stretch of a document between two content-defined borders, with the chunks that were made of it
// and of nothing but it and its left context. Documents of one space share equal segments.
struct SegmentRecord {
    // Digest of all that the chunks depend on: equal identities, equal chunks. Zeros: the segment
    // is open, belongs to one document and may be replaced by a longer one.
    Digest identity{};
    std::string text;
    std::vector<ChunkRecord> chunks;
    // The space holds this identity already (Space::has_segment()): text and chunks are not given.
    bool known = false;
};

struct SegmentInfo {
    uint64_t id = 0;
    Digest identity{};  // zeros: open
    ByteSpan bytes;     // of the document
    uint64_t chunks = 0;
};

struct DocumentInfo {
    uint64_t id = 0;
    uint64_t revision = 0;
    std::string key, uri, meta_json;
    int64_t timestamp_ms = 0;
    uint64_t bytes = 0;             // of text durable in the store
    uint64_t bytes_searchable = 0;  // covered by chunks
    uint64_t tokens = 0, chunks = 0;
    bool finished = false;
    bool text_discarded = false;
    Digest content_hash{};  // SHA-256 of the text, once finished
};

struct DocumentSpec {
    std::string key, uri, meta_json;
    int64_t timestamp_ms = 0;
    bool replace = false;
    bool discard_text = false;
};

// One change of a document, whole or not at all: its segments [first, first + n_old) give way to
// `segments`.
struct Edit {
    uint64_t first = 0, n_old = 0;
    std::vector<SegmentRecord> segments;
    bool finish = false;    // ends the document; a replacement becomes visible
    Digest content_hash{};  // of the whole text, with `finish`
};

struct SearchFilter {
    std::string exclude_key;  // this document is skipped ...
    ByteSpan exclude_bytes;   // ... or, if not empty, only chunks that overlap this part of it
    uint32_t max_per_document = 0;
    // Of documents with a time in [since, before) and a key that matches
    // (storage/document_filter.h) alone. A chunk that several documents share counts as those of
    // them that pass.
    std::optional<int64_t> since_ms, before_ms;
    std::string key_pattern;  // empty: any key
    std::optional<float> min_score;
    bool exact = false;
    // Numbers of the query count by their idf in each space (base/feature_idf.h): for models whose
    // keys count features.
    bool weigh_by_idf = false;

    bool operator==(const SearchFilter&) const = default;
};

struct Hit {
    uint64_t chunk_id = 0;  // unique in the store, never reused
    float score = 0;        // of keys: <query, key> / sqrt(key_width()), exact from the fp16 key
};

// What a search by text compares (storage/words/word_search.h).
enum class WordLeg : uint8_t {
    kWords,        // whole words and identifiers
    kGrams,        // the four-character pieces of words
    kDefinitions,  // names, with the chunks that define them
};

// Where a hit stands, for people.
struct HitInfo {
    uint64_t chunk_id = 0, document_id = 0, revision = 0, ordinal = 0;
    ByteSpan bytes, next_bytes;  // the chunk and its successor (empty if there is none)
    std::string owner, collection, key, uri;
    int64_t timestamp_ms = 0;
};

// States of a hit and of its successor, decoded. Shared with the store's cache. Null where there is
// no such chunk, or where `*_dropped` names the segment whose states a budget took from the disk.
struct HitStates {
    std::shared_ptr<const std::vector<float>> chunk;      // [tokens, dim]
    std::shared_ptr<const std::vector<float>> successor;  // likewise
    uint64_t successor_id = 0;                            // chunk, or 0
    uint64_t chunk_dropped = 0, successor_dropped = 0;    // number of a segment, or 0
};

// What the states of a segment are made from again.
struct SegmentTokens {
    std::vector<int32_t> context;  // the last tokens before it, at most as many as were asked for
    std::vector<int32_t> tokens;
    std::vector<uint64_t> chunks;  // numbers of its chunks, in order
};

}  // namespace rpt::storage
