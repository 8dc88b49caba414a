#include "core/text/imported_tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "core/text/tokenizer_sections.h"

namespace rpt::text {
namespace {

using Json = nlohmann::json;

// Bytes, then the added tokens.
Json file(PieceRule rule, const std::vector<std::pair<std::string, bool>>& added) {
    Vocabulary vocabulary;
    vocabulary.pieces = rule;
    for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(1, char(byte));
    Json json = Json::parse(Tokenizer::from_vocabulary(vocabulary)->to_json());
    int id = 256;
    for (const auto& [name, special] : added)
        json["added_tokens"].push_back({{"id", id++}, {"content", name}, {"special", special}});
    return json;
}

const std::vector<std::pair<std::string, bool>> kQwen = {
    {"<|endoftext|>", true}, {"<|im_start|>", true},    {"<|im_end|>", true},
    {"<tool_call>", false},  {"<|fim_prefix|>", false}, {"<|file_sep|>", false}};

}  // namespace

TEST(ImportedTokenizer, qwen_has_more_rows_than_tokens_and_begins_without_a_begin_token) {
    const Json config = {{"bos_token", nullptr},
                         {"eos_token", "<|im_end|>"},
                         {"pad_token", {{"content", "<|endoftext|>"}}},
                         {"chat_template", "{{ messages }}"}};
    const ImportedTokenizer imported =
        import_tokenizer(file(PieceRule::kQwen2, kQwen).dump(), config.dump(), 270);
    const Tokenizer& tokenizer = *imported.tokenizer;
    EXPECT_EQ(imported.chat_template, "{{ messages }}");
    EXPECT_EQ(tokenizer.vocab_size(), 270);
    EXPECT_TRUE(tokenizer.is_special(269));
    EXPECT_EQ(tokenizer.bos(), 256);
    EXPECT_EQ(tokenizer.eos(), 256) << "<|im_end|> ends a turn";
    EXPECT_EQ(tokenizer.role(Role::kTurnEnd), 258);
    EXPECT_EQ(tokenizer.role(Role::kGapPrefix), 260);
    EXPECT_EQ(tokenizer.role(Role::kFileSeparator), 261);
    EXPECT_EQ(tokenizer.bytes(259), "<tool_call>");
    const auto again = Tokenizer::from_json(tokenizer.to_json(), tokenizer.roles_json());
    EXPECT_EQ(again->to_json(), tokenizer.to_json());
    EXPECT_EQ(again->role(Role::kTurnEnd), 258);
}

TEST(ImportedTokenizer, a_template_or_the_configuration_names_the_begin_token) {
    Json json = file(PieceRule::kLlama3, {{"<A>", true}, {"<B>", true}, {"<C>", false}});
    json["post_processor"] = {{"type", "TemplateProcessing"},
                              {"single", {{{"SpecialToken", {{"id", "<B>"}}}}}}};
    EXPECT_EQ(import_tokenizer(json.dump(), "", 259).tokenizer->bos(), 257);
    EXPECT_EQ(import_tokenizer(json.dump(), R"({"bos_token":"<A>"})", 259).tokenizer->bos(), 256);
    const auto tokenizer = import_tokenizer(json.dump(), R"({"eos_token":"<C>"})", 259).tokenizer;
    EXPECT_EQ(tokenizer->eos(), 258) << "a token with a role is special";
    EXPECT_TRUE(tokenizer->is_special(258));
}

TEST(ImportedTokenizer, takes_the_default_of_several_chat_templates) {
    const std::string config = R"({"chat_template":[{"name":"tool_use","template":"a"},
                                                    {"name":"default","template":"b"}]})";
    const std::string json = file(PieceRule::kGpt2, {{"</s>", true}}).dump();
    EXPECT_EQ(import_tokenizer(json, config, 257).chat_template, "b");
    EXPECT_EQ(import_tokenizer(json, "{}", 257).chat_template, "");
    EXPECT_EQ(import_tokenizer(json, "{}", 257).tokenizer->bos(), 256) << "falls back to the end";
}

TEST(ImportedTokenizer, names_what_is_broken) {
    const std::string json = file(PieceRule::kQwen2, kQwen).dump();
    const auto answer = [&](const std::string& config, size_t n_rows) {
        try {
            import_tokenizer(json, config, n_rows);
        } catch (const Error& error) {
            EXPECT_EQ(int(error.status()), int(Status::kCorrupt));
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_NE(answer("{}", 200).find("262 tokens, but the model's embedding 200 rows"),
              std::string::npos);
    EXPECT_NE(answer("[]", 300).find("tokenizer_config.json"), std::string::npos);
    EXPECT_NE(answer("{", 300).find("tokenizer_config.json"), std::string::npos);
    EXPECT_EQ(answer(R"({"bos_token":7,"eos_token":"<none>","chat_template":5})", 300), "");
}

}  // namespace rpt::text
