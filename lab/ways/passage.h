// Documents of a corpus, each cut into what is read first and what is scored behind it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/text/tokenizer.h"

namespace rpt::ways {

struct Passage {
    std::string corpus, id, context;
    // Scored one after the other. Each ends where a token of the whole text ends, however much of
    // the text is known.
    std::vector<std::string> pieces;

    std::string scored() const;
};

struct PassageRequest {
    int64_t documents = 2;  // of each corpus
    int64_t tokens = 8192;  // of each document
    int64_t first_token = 4096;
    int64_t piece = 64;  // tokens, about
};

// Of each of `corpora` (NAME=FILE, JSON lines) the first documents that have more than so many
// tokens. kArgument for a corpus without one.
std::vector<Passage> read_passages(const text::Tokenizer& tokenizer, const PassageRequest& request,
                                   const std::vector<std::string>& corpora);

}  // namespace rpt::ways
