// Stores in a folder of their own, and chunks out of a small fixed generator.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/half.h"
#include "storage/sqlite/sqlite_backend.h"
#include "storage/store.h"

namespace rpt::storage {

// Uniform numbers, the same on every machine.
class Numbers {
  public:
    explicit Numbers(uint64_t seed) : state_(seed * 2 + 1) {}
    uint32_t next() {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<uint32_t>(state_ >> 32);
    }
    uint32_t below(uint32_t n) { return next() % n; }
    float unit() { return static_cast<float>(next() >> 8) * 0x1p-24f; }
    // About normal: the sum of 12 uniforms.
    float normal() {
        float sum = -6;
        for (int i = 0; i < 12; ++i) sum += unit();
        return sum;
    }
    std::vector<float> vector(size_t n) {
        std::vector<float> values(n);
        for (float& v : values) v = normal();
        return values;
    }

  private:
    uint64_t state_;
};

inline constexpr uint32_t kDim = 24;
inline constexpr uint32_t kTokens = 8;
inline constexpr uint32_t kPointers = 7;  // numbers of a pointer key; odd

inline ModelBinding test_model(uint8_t mark = 1) {
    ModelBinding model;
    model.fingerprint.fill(mark);
    model.dim = kDim;
    model.chunk_tokens = kTokens;
    model.context_tokens = 16;
    model.pointer_dim = kPointers;
    return model;
}

// Unit vectors, [n, width].
inline std::vector<float> unit_rows(Numbers& numbers, size_t n, uint32_t width) {
    std::vector<float> rows = numbers.vector(n * width);
    for (size_t t = 0; t < n; ++t) {
        float sum = 0;
        for (size_t i = 0; i < width; ++i) sum += rows[t * width + i] * rows[t * width + i];
        for (size_t i = 0; i < width; ++i) rows[t * width + i] /= std::sqrt(sum);
    }
    return rows;
}

inline constexpr uint64_t kChunkBytes = 10;  // of text, of every chunk made here

// The chunk at `ordinal` of its segment.
inline ChunkRecord make_chunk(Numbers& numbers, uint64_t ordinal, uint32_t tokens = kTokens,
                              uint32_t dim = kDim) {
    ChunkRecord chunk;
    chunk.bytes = {ordinal * kChunkBytes, (ordinal + 1) * kChunkBytes};
    for (uint32_t t = 0; t < tokens; ++t)
        chunk.tokens.push_back(static_cast<int32_t>(numbers.below(50000)));
    chunk.key = numbers.vector(dim);
    chunk.states = numbers.vector(size_t(tokens) * dim);
    chunk.pointers = unit_rows(numbers, tokens, kPointers);
    return chunk;
}

inline Digest identity_of(const std::string& text) {
    return sha256(text.data(), text.size());
}

// Made of the chunks' tokens, so that equal texts mean equal chunks.
inline std::string text_of(const std::vector<ChunkRecord>& chunks) {
    std::string text;
    for (const ChunkRecord& chunk : chunks)
        for (size_t i = 0; i < kChunkBytes; ++i)
            text += static_cast<char>('a' + (chunk.tokens[i % chunk.tokens.size()] + int(i)) % 26);
    return text;
}

// Text and chunks that fit each other.
inline SegmentRecord make_segment(Numbers& numbers, uint64_t chunks, bool open = false,
                                  uint32_t dim = kDim) {
    SegmentRecord segment;
    for (uint64_t i = 0; i < chunks; ++i)
        segment.chunks.push_back(make_chunk(numbers, i, kTokens, dim));
    segment.text = text_of(segment.chunks);
    if (!open) segment.identity = identity_of(segment.text);
    return segment;
}

inline std::string text_of(const Edit& edit) {
    std::string text;
    for (const SegmentRecord& segment : edit.segments) text += segment.text;
    return text;
}

inline std::vector<ChunkRecord> chunks_of(const Edit& edit) {
    std::vector<ChunkRecord> chunks;
    for (const SegmentRecord& segment : edit.segments)
        chunks.insert(chunks.end(), segment.chunks.begin(), segment.chunks.end());
    return chunks;
}

inline Edit finish_of(Edit edit) {
    const std::string text = text_of(edit);
    edit.finish = true;
    edit.content_hash = sha256(text.data(), text.size());
    return edit;
}

// A whole document.
inline Edit make_document(Numbers& numbers, uint64_t chunks, uint64_t chunks_per_segment = 4,
                          uint32_t dim = kDim) {
    Edit edit;
    for (uint64_t done = 0; done < chunks; done += chunks_per_segment)
        edit.segments.push_back(
            make_segment(numbers, std::min(chunks_per_segment, chunks - done), false, dim));
    return finish_of(std::move(edit));
}

// Segments [first, first + n) of a document as an edit that appends them.
inline Edit part_of(const Edit& document, size_t first, size_t n) {
    Edit edit;
    edit.first = first;
    edit.segments.assign(document.segments.begin() + static_cast<ptrdiff_t>(first),
                         document.segments.begin() + static_cast<ptrdiff_t>(first + n));
    return edit;
}

inline Edit unfinished(Edit document) {
    document.finish = false;
    return document;
}

inline DocumentSpec spec_of(const std::string& key, bool replace = false) {
    DocumentSpec spec;
    spec.key = key;
    spec.replace = replace;
    return spec;
}

class StoreTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "rpt_store_XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
        path_ = folder_ + "/store";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    static StoreOptions options(bool create = true) {
        StoreOptions options;
        options.create = create;
        options.model = test_model();
        options.durability = Durability::kNone;
        options.packing.codec = StateCodec::kInt8;  // values near enough to be compared
        return options;
    }
    // The database that is tested.
    virtual const Backend& backend() const { return sqlite_backend(); }
    std::shared_ptr<Store> open() { return backend().open(path_, options()); }
    std::shared_ptr<Store> open_reader() {
        StoreOptions o = options(false);
        o.read_only = true;
        return backend().open(path_, o);
    }
    static void add(Space& space, const std::string& key, const Edit& edit, bool replace = false) {
        space.begin_document(spec_of(key, replace))->commit(edit);
    }
    static std::vector<Hit> find(Store& store, const std::shared_ptr<Space>& space,
                                 const std::vector<float>& query, size_t k,
                                 const SearchFilter& filter = {}) {
        return store.search({&space, 1}, query, k, filter);
    }

    std::string folder_, path_;
};

// What a call throws: its status, kOk if nothing. `text` gets the message.
template <typename Call>
Status status_of(Call&& call, std::string* text = nullptr) {
    try {
        call();
    } catch (const Error& error) {
        if (text != nullptr) *text = error.what();
        return error.status();
    }
    return Status::kOk;
}

}  // namespace rpt::storage
