#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "core/text/bpe_trainer.h"
#include "core/text/tokenizer_sections.h"

namespace rpt::text {

namespace {

using Json = nlohmann::json;

Json good() {
    BpeTrainer trainer;
    for (int i = 0; i < 3; ++i) trainer.add("abc abc abd");
    return Json::parse(trainer.train(270)->to_json());
}

Json byte_level(bool use_regex) {
    return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", use_regex}};
}

Status status_of(const std::string& json) {
    try {
        Tokenizer::from_json(json);
    } catch (const Error& error) {
        const std::string text = error.what();
        EXPECT_EQ(text.find('\n'), std::string::npos);
        EXPECT_EQ(text.rfind("tokenizer", 0), 0u) << text;
        return error.status();
    }
    return Status::kOk;
}

}  // namespace

TEST(TokenizerJson, accepts_what_the_tokenizers_package_writes) {
    Json json = good();
    EXPECT_EQ(status_of(json.dump()), Status::kOk);
    for (Json& merge : json["model"]["merges"]) {  // the newer spelling of merges
        const std::string text = merge;
        merge = {text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)};
    }
    json["post_processor"] = json["decoder"];
    json["truncation"] = nullptr;
    json["model"]["dropout"] = nullptr;
    json["model"]["ignore_merges"] = false;
    json["model"]["continuing_subword_prefix"] = "";
    EXPECT_EQ(status_of(json.dump()), Status::kOk);
    EXPECT_EQ(Tokenizer::from_json(json.dump())->to_json(),
              Tokenizer::from_json(good().dump())->to_json());
}

TEST(TokenizerJson, reads_special_tokens_that_the_vocabulary_lacks) {
    Json json = good();
    const int n = int(json["model"]["vocab"].size());
    json["added_tokens"].push_back({{"id", n}, {"content", "<|late|>"}, {"special", true}});
    const auto tokenizer = Tokenizer::from_json(json.dump());
    EXPECT_EQ(tokenizer->special("<|late|>"), n);
    EXPECT_EQ(tokenizer->vocab_size(), n + 1);
}

TEST(TokenizerJson, every_rule_is_written_and_read_back) {
    for (PieceRule rule : kPieceRules) {
        Json json = good();
        json["pre_tokenizer"] = Json::parse(write_pre_tokenizer(rule));
        const auto tokenizer = Tokenizer::from_json(json.dump());
        EXPECT_EQ(tokenizer->pieces(), rule);
        EXPECT_EQ(Json::parse(tokenizer->to_json())["pre_tokenizer"], json["pre_tokenizer"]);
    }
}

// Llama 3's file: a split without options that are at rest, a template, whole pieces first.
TEST(TokenizerJson, options_of_other_families_are_kept) {
    Json json = good();
    json["normalizer"] = {{"type", "NFC"}};
    json["model"]["ignore_merges"] = true;
    json["post_processor"] = {
        {"type", "Sequence"},
        {"processors",
         {byte_level(true),
          {{"type", "TemplateProcessing"},
           {"single", {{{"SpecialToken", {{"id", "<|bos|>"}}}}, {{"Sequence", {{"id", "A"}}}}}}}}}};
    EXPECT_EQ(read_sections(json).begin, "<|bos|>");
    const auto tokenizer = Tokenizer::from_json(json.dump());
    EXPECT_TRUE(tokenizer->expects_nfc());
    const Json written = Json::parse(tokenizer->to_json());
    EXPECT_EQ(written["model"]["ignore_merges"], true);
    EXPECT_EQ(written["normalizer"]["type"], "NFC");
    EXPECT_EQ(Tokenizer::from_json(written.dump())->to_json(), tokenizer->to_json());
}

TEST(TokenizerJson, added_tokens_that_are_not_special_have_bytes) {
    Json json = good();
    const int n = int(json["model"]["vocab"].size());
    json["added_tokens"].push_back({{"id", n}, {"content", "<think>"}, {"special", false}});
    json["added_tokens"].push_back({{"id", n + 1}, {"content", "<|pad|>x"}, {"special", false}});
    json["added_tokens"].push_back(
        {{"id", n + 2}, {"content", "<|file_sep|>"}, {"special", false}});
    const auto tokenizer = Tokenizer::from_json(json.dump());
    EXPECT_EQ(tokenizer->bytes(n), "<think>");
    EXPECT_FALSE(tokenizer->is_special(n));
    EXPECT_FALSE(tokenizer->is_special(n + 1));
    EXPECT_TRUE(tokenizer->is_special(n + 2)) << "a control name";
    for (const Token& token : tokenizer->encode("<think><|file_sep|>")) EXPECT_LT(token.id, n);
    EXPECT_EQ(Tokenizer::from_json(tokenizer->to_json())->to_json(), tokenizer->to_json());
}

TEST(TokenizerJson, ids_without_a_token_get_a_name) {
    Json json = good();
    const int n = int(json["model"]["vocab"].size());
    json["added_tokens"].push_back({{"id", n + 3}, {"content", "<|late|>"}, {"special", true}});
    const auto tokenizer = Tokenizer::from_json(json.dump());
    EXPECT_EQ(tokenizer->vocab_size(), n + 4);
    EXPECT_TRUE(tokenizer->is_special(n + 1));
    EXPECT_EQ(tokenizer->special("<|unused_" + std::to_string(n + 1) + "|>"), n + 1);
    EXPECT_EQ(Tokenizer::from_json(tokenizer->to_json())->to_json(), tokenizer->to_json());
}

TEST(TokenizerJson, control_characters_may_lack_a_token) {
    Json json = good();
    std::string erased;
    for (auto& [name, id] : json["model"]["vocab"].items())
        if (name == "\u0104") erased = name;  // stands for the byte 4
    ASSERT_FALSE(erased.empty());
    json["model"]["vocab"].erase(erased);
    const auto tokenizer = Tokenizer::from_json(json.dump());
    const std::vector<Token> tokens = tokenizer->encode("!\x04!");
    ASSERT_EQ(tokens.size(), 2u);
    EXPECT_EQ(tokens[0].size, 2u);
}

TEST(TokenizerJson, names_what_is_broken) {
    struct Case {
        const char* what;
        Status status;
        std::function<void(Json&)> change;
    };
    const Case cases[] = {
        {"top level", Status::kCorrupt, [](Json& j) { j = Json::array(); }},
        {"version", Status::kUnsupported, [](Json& j) { j["version"] = "2.0"; }},
        {"no model", Status::kCorrupt, [](Json& j) { j.erase("model"); }},
        {"model is text", Status::kCorrupt, [](Json& j) { j["model"] = "BPE"; }},
        {"other model", Status::kUnsupported, [](Json& j) { j["model"]["type"] = "Unigram"; }},
        {"no pre_tokenizer", Status::kUnsupported, [](Json& j) { j["pre_tokenizer"] = nullptr; }},
        {"untyped pre_tokenizer", Status::kCorrupt,
         [](Json& j) { j["pre_tokenizer"].erase("type"); }},
        {"other pre_tokenizer", Status::kUnsupported,
         [](Json& j) { j["pre_tokenizer"]["type"] = "Whitespace"; }},
        {"prefix space", Status::kUnsupported,
         [](Json& j) { j["pre_tokenizer"]["add_prefix_space"] = true; }},
        {"no regex", Status::kUnsupported,
         [](Json& j) { j["pre_tokenizer"]["use_regex"] = false; }},
        {"no decoder", Status::kUnsupported, [](Json& j) { j.erase("decoder"); }},
        {"normalizer", Status::kUnsupported,
         [](Json& j) {
             j["normalizer"] = {{"type", "NFKC"}};
         }},
        {"post-processor", Status::kUnsupported,
         [](Json& j) {
             j["post_processor"] = {{"type", "BertProcessing"}};
         }},
        {"sequence of strangers", Status::kUnsupported,
         [](Json& j) {
             j["pre_tokenizer"] = {{"type", "Sequence"},
                                   {"pretokenizers", {{{"type", "Whitespace"}}, byte_level(true)}}};
         }},
        {"numbers together", Status::kUnsupported,
         [](Json& j) {
             j["pre_tokenizer"] = {
                 {"type", "Sequence"},
                 {"pretokenizers",
                  {{{"type", "Digits"}, {"individual_digits", false}}, byte_level(true)}}};
         }},
        {"split by a stranger", Status::kUnsupported,
         [](Json& j) {
             j["pre_tokenizer"] = {
                 {"type", "Sequence"},
                 {"pretokenizers",
                  {{{"type", "Split"}, {"pattern", {{"Regex", "a+"}}}, {"behavior", "Isolated"}},
                   byte_level(false)}}};
         }},
        {"dropout", Status::kUnsupported, [](Json& j) { j["model"]["dropout"] = 0.1; }},
        {"byte fallback", Status::kUnsupported,
         [](Json& j) { j["model"]["byte_fallback"] = true; }},
        {"suffix", Status::kUnsupported,
         [](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }},
        {"no vocab", Status::kCorrupt, [](Json& j) { j["model"].erase("vocab"); }},
        {"empty vocab", Status::kCorrupt, [](Json& j) { j["model"]["vocab"] = Json::object(); }},
        {"id is text", Status::kCorrupt, [](Json& j) { j["model"]["vocab"]["a"] = "7"; }},
        {"id is broken", Status::kCorrupt, [](Json& j) { j["model"]["vocab"]["a"] = 7.5; }},
        {"id below 0", Status::kCorrupt, [](Json& j) { j["model"]["vocab"]["a"] = -1; }},
        {"id too large", Status::kCorrupt, [](Json& j) { j["model"]["vocab"]["a"] = UINT64_MAX; }},
        {"id with a gap", Status::kCorrupt, [](Json& j) { j["model"]["vocab"]["a"] = 1000; }},
        {"id twice", Status::kCorrupt,
         [](Json& j) { j["model"]["vocab"]["a"] = j["model"]["vocab"]["b"]; }},
        {"byte lost", Status::kCorrupt,
         [](Json& j) {
             const Json id = j["model"]["vocab"]["Z"];
             j["model"]["vocab"].erase("Z");
             j["model"]["vocab"]["ZZ"] = id;
         }},
        {"empty token", Status::kCorrupt,
         [](Json& j) { j["model"]["vocab"][""] = j["model"]["vocab"].size(); }},
        {"no byte characters", Status::kUnsupported,
         [](Json& j) { j["model"]["vocab"]["\u65e5"] = j["model"]["vocab"].size(); }},
        {"no merges", Status::kCorrupt, [](Json& j) { j["model"].erase("merges"); }},
        {"merge is a number", Status::kCorrupt, [](Json& j) { j["model"]["merges"][0] = 5; }},
        {"merge of one", Status::kCorrupt, [](Json& j) { j["model"]["merges"][0] = "a"; }},
        {"merge of three", Status::kCorrupt, [](Json& j) { j["model"]["merges"][0] = "a b c"; }},
        {"merge of strangers", Status::kCorrupt,
         [](Json& j) { j["model"]["merges"][0] = "a \u65e5"; }},
        {"merge without result", Status::kCorrupt,
         [](Json& j) { j["model"]["merges"][0] = "Q Q"; }},
        {"merge of a special", Status::kCorrupt,
         [](Json& j) { j["model"]["merges"][0] = "<|bos|> a"; }},
        {"merge twice", Status::kCorrupt,
         [](Json& j) { j["model"]["merges"].push_back(j["model"]["merges"][0]); }},
        {"added is no list", Status::kCorrupt, [](Json& j) { j["added_tokens"] = 5; }},
        {"added is object", Status::kCorrupt, [](Json& j) { j["added_tokens"] = Json::object(); }},
        {"added without content", Status::kCorrupt,
         [](Json& j) { j["added_tokens"][0].erase("content"); }},
        {"added without id", Status::kCorrupt, [](Json& j) { j["added_tokens"][0].erase("id"); }},
        {"added twice", Status::kCorrupt,
         [](Json& j) { j["added_tokens"].push_back(j["added_tokens"][0]); }},
        {"added elsewhere", Status::kCorrupt, [](Json& j) { j["added_tokens"][0]["id"] = 3; }},
        {"added takes a byte", Status::kCorrupt,
         [](Json& j) {
             j["added_tokens"][0]["content"] = "a";
             j["added_tokens"][0]["id"] = j["model"]["vocab"]["a"];
         }},
    };
    for (const Case& broken : cases) {
        Json json = good();
        broken.change(json);
        EXPECT_EQ(int(status_of(json.dump())), int(broken.status)) << broken.what;
    }
}

TEST(TokenizerJson, every_truncation_is_corrupt) {
    const std::string json = good().dump();
    for (size_t size = 0; size < json.size(); size += 13)
        EXPECT_EQ(status_of(json.substr(0, size)), Status::kCorrupt) << size;
    EXPECT_EQ(status_of(json + "x"), Status::kCorrupt);
    EXPECT_EQ(status_of(std::string(100000, '[')), Status::kCorrupt);
    EXPECT_EQ(status_of("{\"model\": 1e999}"), Status::kCorrupt);
    EXPECT_EQ(status_of("{\"a\": \"\xFF\"}"), Status::kCorrupt);
}

}  // namespace rpt::text
