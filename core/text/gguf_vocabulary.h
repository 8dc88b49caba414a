// A tokenizer from the metadata of a GGUF file. Reading the file is another room's work.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/text/tokenizer.h"

namespace rpt::text {

// The metadata under "tokenizer."; an empty string or list, or -1, where the file has none.
struct GgufTokenizer {
    std::string model;                // ggml.model: "gpt2", "llama", ...
    std::string pre;                  // ggml.pre: "smollm", "llama-bpe", ...
    std::vector<std::string> tokens;  // ggml.tokens, as the file spells them
    std::vector<int32_t> types;       // ggml.token_type, one a token; empty: all are normal
    std::vector<std::string> merges;  // ggml.merges: "left right", by rank

    // ggml.bos_token_id and so on; -1: none.
    int64_t bos = -1;
    int64_t eos = -1;
    int64_t eot = -1;                                           // ends a turn
    int64_t padding = -1;                                       //
    int64_t fim_prefix = -1, fim_suffix = -1, fim_middle = -1;  // fim_pre, fim_suf, fim_mid
    int64_t fim_separator = -1;                                 // fim_sep: between files
};

// The vocabulary with its rule for pieces and its roles. The tokenizer of a package is then
// Tokenizer::from_vocabulary(...)->to_json(), the package's roles the `roles` of the result.
// Throws kUnsupported for another model than byte-level BPE, or for a rule that is not known (the
// text names those that are); kCorrupt for lists that do not fit together. What the lists say of
// the tokens is checked by Tokenizer::from_vocabulary().
Vocabulary gguf_vocabulary(GgufTokenizer file);

}  // namespace rpt::text
