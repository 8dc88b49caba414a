// The tokenizer of a folder that other programs wrote: tokenizer.json and tokenizer_config.json.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/text/tokenizer.h"

namespace rpt::text {

struct ImportedTokenizer {
    std::shared_ptr<const Tokenizer> tokenizer;  // its roles_json() belongs to the package
    std::string chat_template;                   // Jinja; empty: the files have none
};

// `config`: the text of tokenizer_config.json, empty if there is none; it names the begin, end and
// pad tokens and may hold the chat template. `n_rows`: rows of the model's embedding; ids that no
// token has are filled up. Throws kCorrupt and kUnsupported as Tokenizer::from_json(), and kCorrupt
// if there are more tokens than rows.
ImportedTokenizer import_tokenizer(std::string_view json, std::string_view config, size_t n_rows);

}  // namespace rpt::text
