// Token shards: documents as token ids in one binary file, their borders in a JSON index beside it
// (docs/format/shards.md).
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/sha256.h"

namespace rpt::train {

struct ShardDocument {
    std::string id;
    std::string collection;
    std::string source;
    uint64_t offset = 0;  // first token
    uint64_t tokens = 0;  // the closing end-of-text token included
    uint64_t bytes = 0;   // of the text
};

// What the shard's tokens mean.
struct ShardVocabulary {
    uint32_t size = 0;
    int32_t bos = -1;
    int32_t eos = -1;
    int32_t pad = -1;
    Digest tokenizer{};  // SHA-256 of the tokenizer's JSON
    // Around the parts of a text with a gap; -1 if the tokenizer has none or the shard was made
    // before shards named them.
    int32_t fim_prefix = -1;
    int32_t fim_suffix = -1;
    int32_t fim_middle = -1;
    bool has_fim() const { return fim_prefix >= 0 && fim_suffix >= 0 && fim_middle >= 0; }
    // The gap's tokens follow from the tokenizer: shards of before and after may be mixed.
    bool operator==(const ShardVocabulary& other) const {
        return size == other.size && bos == other.bos && eos == other.eos && pad == other.pad &&
               tokenizer == other.tokenizer;
    }
};

// Writes temporary files and renames them in finish(): there is never half a shard. One thread.
class ShardWriter {
  public:
    ShardWriter(const std::string& path, const ShardVocabulary& vocabulary);
    ~ShardWriter();
    ShardWriter(const ShardWriter&) = delete;
    ShardWriter& operator=(const ShardWriter&) = delete;

    // `document.offset` and `.tokens` are filled in here. Throws kIo, kArgument (an id outside the
    // vocabulary).
    void add(ShardDocument document, std::span<const int32_t> tokens);
    void finish();
    uint64_t tokens() const { return tokens_; }
    size_t documents() const { return documents_.size(); }

  private:
    void write(const void* data, size_t size);

    std::string path_;
    ShardVocabulary vocabulary_;
    std::ofstream file_;
    std::vector<ShardDocument> documents_;
    Sha256 hash_;
    uint64_t tokens_ = 0;
    bool finished_ = false;
};

// Memory-mapped and immutable; shared by threads.
class Shard {
  public:
    // Throws kNotFound, kIo, kVersion, kCorrupt naming the file and what is wrong. With `verify`
    // the tokens are hashed.
    static std::shared_ptr<const Shard> open(const std::string& path, bool verify = false);
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    const ShardVocabulary& vocabulary() const { return vocabulary_; }
    const std::vector<ShardDocument>& documents() const { return documents_; }
    uint64_t tokens() const { return n_tokens_; }
    // Tokens [begin, begin + count) of one document, which must lie inside it.
    std::vector<int32_t> read(size_t document, uint64_t begin, uint64_t count) const;

  private:
    Shard() = default;

    ShardVocabulary vocabulary_;
    std::vector<ShardDocument> documents_;
    uint64_t n_tokens_ = 0;
    uint32_t token_bytes_ = 0;
    const std::byte* map_ = nullptr;
    size_t map_size_ = 0;
};

}  // namespace rpt::train
