// A `tokenizers` JSON file in parts; tokenizer_sections.cc reads those that say how text is cut:
// normalizer, pre_tokenizer, decoder, post_processor. Private to core/text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/text/tokenizer.h"

namespace rpt::text {

// Null when the key is missing.
const nlohmann::json& json_member(const nlohmann::json& object, const char* key);

// Throw kCorrupt and kUnsupported.
[[noreturn]] void corrupt_tokenizer_file(const std::string& why, int64_t offset = -1);
[[noreturn]] void unsupported_tokenizer_file(const std::string& why);

// Refuses an option that changes what text becomes; absent, null or a neutral value passes.
void expect_off(const nlohmann::json& object, const char* key, const char* where);

// Throws kCorrupt for what is no JSON.
nlohmann::json parse_tokenizer_file(std::string_view json);
// All but the roles.
Vocabulary read_vocabulary(const nlohmann::json& root);

struct TokenizerSections {
    PieceRule pieces = PieceRule::kGpt2;
    bool nfc = false;
    // The special token that the post-processor puts before a text; empty: none.
    std::string begin;
};
TokenizerSections read_sections(const nlohmann::json& root);

// The section `pre_tokenizer` of a rule, on one line.
std::string write_pre_tokenizer(PieceRule rule);

}  // namespace rpt::text
