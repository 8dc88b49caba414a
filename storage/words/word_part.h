// An inverted index over the chunks of some segments.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/span.h"
#include "storage/words/terms.h"

namespace rpt::storage {

// Which segment rows are of, as it was. A segment that grew has another last chunk.
struct SegmentVersion {
    uint64_t segment = 0;
    uint64_t last_chunk = 0;

    auto operator<=>(const SegmentVersion&) const = default;
};

// Immutable, shared by threads. A row is a chunk. Numbers of terms ascend with their text.
class WordPart {
  public:
    struct Segment {
        SegmentVersion version;
        uint32_t first_row, n_rows;
    };

    size_t rows() const { return chunks_.size(); }
    uint64_t chunk(size_t row) const { return chunks_[row]; }
    uint64_t segment(size_t row) const { return segments_[segment_of_[row]].version.segment; }
    // Words and identifiers' parts that touch the chunk: its length for BM25.
    uint32_t words(size_t row) const { return words_[row]; }
    std::span<const Segment> segments() const { return segments_; }

    std::optional<uint32_t> find(TermKind kind, std::string_view text) const;
    size_t terms() const { return term_begins_.size() - 1; }
    // Words that hold a gram (terms.h), with the places in each.
    struct Holder {
        uint32_t term, places;
    };
    std::vector<Holder> holders(std::string_view gram) const;
    // `f(row, count)` for every row that has the term, ascending.
    template <typename F>
    void for_each_row(uint32_t term, F f) const {
        const uint8_t *at = postings_.data() + posting_begins_[term],
                      *end = postings_.data() + posting_begins_[term + 1];
        for (uint32_t row = 0; at < end;) {
            const uint32_t step = take(at);
            row += step >> 1;
            f(row, (step & 1) != 0 ? take(at) : 1);
        }
    }
    uint64_t memory_bytes() const;

  private:
    friend class WordPartBuilder;

    static uint32_t take(const uint8_t*& at) {
        uint32_t value = 0;
        for (int shift = 0;; shift += 7) {
            const uint8_t byte = *at++;
            value |= uint32_t(byte & 127) << shift;
            if (byte < 128) return value;
        }
    }
    // Kind and text, as they are sorted.
    std::string_view key(uint32_t term) const {
        return std::string_view(terms_).substr(term_begins_[term],
                                               term_begins_[term + 1] - term_begins_[term]);
    }
    void list_grams();

    std::vector<uint64_t> chunks_;
    std::vector<uint32_t> words_, segment_of_;
    std::vector<Segment> segments_;
    std::string terms_;
    std::vector<uint32_t> term_begins_{0};
    std::vector<uint64_t> posting_begins_{0};
    std::vector<uint8_t> postings_;  // by term: row differences, with counts above 1
    // Sorted: the hash of a gram, and a word that holds it.
    std::vector<std::pair<uint32_t, uint32_t>> grams_;
};

// One thread.
class WordPartBuilder {
  public:
    // A chunk of the segment that is added: where it stands in the text.
    struct Chunk {
        uint64_t chunk;
        ByteSpan bytes;
    };
    // `chunks` in order. A word counts in every chunk that it touches, a definition where its name
    // begins. No chunks: the part knows the segment and counts nothing of it.
    void add(const SegmentVersion& version, std::string_view text, std::span<const Chunk> chunks);
    // The segments of `part` of which `lives(version)` is true.
    template <typename F>
    void add(const WordPart& part, F lives) {
        std::vector<bool> chosen;
        for (const WordPart::Segment& segment : part.segments())
            chosen.push_back(lives(segment.version));
        add_segments(part, chosen);
    }
    size_t rows() const { return part_->rows(); }
    size_t segments() const { return part_->segments_.size(); }
    std::shared_ptr<const WordPart> finish();

  private:
    struct Posting {
        uint32_t row, count;
    };
    void add_segments(const WordPart& part, const std::vector<bool>& chosen);
    void count(std::string_view key, uint32_t row, uint32_t count);
    void open_segment(const SegmentVersion& version, size_t n_rows);

    std::shared_ptr<WordPart> part_ = std::make_shared<WordPart>();
    std::unordered_map<std::string, std::vector<Posting>> postings_;
};

}  // namespace rpt::storage
