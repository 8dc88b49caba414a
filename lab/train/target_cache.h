// Target scores on disk: which old chunks help a language model to predict the next one, made once
// by `rpt-lab targets` and read by training and evaluation (docs/format/targets.md). No torch.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "lab/train/candidates.h"

namespace rpt::train {

// What decides the scores, besides the text. Two caches with equal headers hold equal scores.
struct TargetCacheHeader {
    int64_t chunk = 0;       // m, tokens
    int64_t stride = 0;      // S, tokens
    std::string pool;        // name of the pool rule
    int64_t candidates = 0;  // slots a chunk
    std::string tokenizer;   // SHA-256, hexadecimal
    std::string scorer;      // a name for people
    std::string scorer_sha256;
    std::string context;  // how the scorer gets the two chunks
    int64_t top = 0;      // candidates scored, a chunk
    int64_t every = 1;    // chunks i with i % every == 0 are scored

    bool operator==(const TargetCacheHeader&) const = default;
    std::string to_json() const;
};

// Chunk, stride, pool rule and candidates as `model` has them; the rest empty.
TargetCacheHeader target_cache_header(const model::ModelConfig& model, int64_t candidates);

// What a piece is found by: the tokens as the model reads them, padding included, and how many of
// them are text.
Digest target_key(std::span<const int32_t> inputs, int64_t n_tokens);

// Immutable; shared by threads.
class TargetCache {
  public:
    // Throws kNotFound, kIo, kVersion, kCorrupt; kModelMismatch if the file was made for another
    // chunk, stride, pool rule or number of candidates. A record that a killed run left half
    // written at the end does not count.
    static std::shared_ptr<const TargetCache> open(const std::string& path,
                                                   const model::ModelConfig& model,
                                                   int64_t candidates);

    // Lists of all l = inputs.size() / m chunks, best BM25 candidate first.
    std::optional<ChunkLists> find(std::span<const int32_t> inputs, int64_t n_tokens) const;
    size_t size() const { return places_.size(); }
    const TargetCacheHeader& header() const { return header_; }
    const std::string& path() const { return path_; }
    // The pieces in the order of the file.
    ChunkLists at(size_t number) const;

  private:
    explicit TargetCache(const std::string& path);

    std::string path_;
    MappedFile file_;
    TargetCacheHeader header_;
    std::vector<size_t> order_;        // offsets of the records
    std::map<Digest, size_t> places_;  // the same by key
};

// Appends; one thread, one writer a file.
class TargetCacheWriter {
  public:
    // Makes the file, or goes on with one that has the same header: kModelMismatch otherwise. A
    // half written record at the end is cut off. Throws kIo, kVersion, kCorrupt.
    TargetCacheWriter(const std::string& path, const TargetCacheHeader& header);
    ~TargetCacheWriter();
    TargetCacheWriter(const TargetCacheWriter&) = delete;
    TargetCacheWriter& operator=(const TargetCacheWriter&) = delete;

    bool contains(std::span<const int32_t> inputs, int64_t n_tokens) const;
    // A piece that the file holds already is left as it is. One write a record: a killed process
    // leaves whole records and at most one torn one.
    void add(std::span<const int32_t> inputs, int64_t n_tokens, const ChunkLists& lists);
    size_t size() const { return known_.size(); }

  private:
    void write(const std::string& bytes);

    std::string path_;
    int64_t candidates_;
    std::map<Digest, size_t> known_;
    int fd_ = -1;
};

}  // namespace rpt::train
