// The chunks of spaces that a text's words find.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "storage/index/row_filter.h"
#include "storage/records.h"
#include "storage/words/word_part.h"

namespace rpt::storage {

// All that a search of one space may see, at one moment. Immutable, shared by threads.
struct WordSnapshot {
    struct Part {
        std::shared_ptr<const WordPart> part;
        std::vector<bool> lives;         // [rows]
        uint64_t living = 0, words = 0;  // rows that live, and their words
    };
    uint64_t generation = 0;  // of the space when this was true
    std::vector<Part> parts;
    uint64_t rows = 0, words = 0;  // of those that live
    uint64_t memory_bytes = 0;

    void add(Part part);  // behind the others
};

// The segments live of which `visible` has the version.
WordSnapshot::Part living_part(std::shared_ptr<const WordPart> part,
                               const std::set<SegmentVersion>& visible);

// Best k chunks by what `leg` compares, score descending, ties to the lower chunk id. Each space
// counts by itself, so a score tells nothing of another space. A chunk without any of the words is
// not among them. filter.min_score does not count here.
//
// Scores: words and grams by Okapi BM25, k1 1.5, b 0.75, idf log(1 + (N - n + 0.5) / (n + 0.5)), N
// chunks of which n hold the term; a chunk's length is its words. Definitions: for each name of the
// text that the chunk defines, log(1 + N / (1 + n)), n of the chunks that use the name.
std::vector<Hit> search_words(std::span<const std::shared_ptr<const WordSnapshot>> snapshots,
                              std::string_view text, WordLeg leg, size_t k,
                              const SearchFilter& filter, RowFilter& documents,
                              const CallControl& control);

}  // namespace rpt::storage
