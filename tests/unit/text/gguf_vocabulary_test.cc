#include "core/text/gguf_vocabulary.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "core/text/byte_alphabet.h"

namespace rpt::text {
namespace {

// The special names, then the 256 bytes, then "th" and "the".
GgufTokenizer good(const std::vector<std::string>& special) {
    GgufTokenizer file;
    file.model = "gpt2";
    file.pre = "gpt-2";
    const auto add = [&](const std::string& token, int32_t type) {
        file.tokens.push_back(token);
        file.types.push_back(type);
    };
    for (const std::string& name : special) add(name, 3);
    for (int byte = 0; byte < 256; ++byte) add(spell_bytes(std::string(1, char(byte))), 1);
    add("th", 1);
    add("the", 1);
    file.merges = {"t h", "th e"};
    return file;
}

GgufTokenizer smollm() {
    GgufTokenizer file = good({"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<file_sep>"});
    file.bos = 1;
    file.eos = 2;
    file.padding = 2;
    return file;
}

struct Answer {
    Status status = Status::kOk;
    std::string text;
};
Answer answer(GgufTokenizer file) {
    try {
        Tokenizer::from_vocabulary(gguf_vocabulary(std::move(file)));
    } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
        return {error.status(), error.what()};
    }
    return {};
}

}  // namespace

TEST(GgufVocabulary, gives_the_tokens_of_the_file) {
    const auto tokenizer = Tokenizer::from_vocabulary(gguf_vocabulary(smollm()));
    EXPECT_EQ(tokenizer->vocab_size(), 4 + 256 + 2);
    const std::vector<Token> tokens = tokenizer->encode("the t");
    ASSERT_EQ(tokens.size(), 3u);
    EXPECT_EQ(tokens[0].id, 4 + 257);
    EXPECT_EQ(tokenizer->bytes(4 + ' '), " ");
    EXPECT_TRUE(tokenizer->is_special(3));
}

// The file calls the turn's tokens begin and end; texts stood behind <|endoftext|> in training.
TEST(GgufVocabulary, a_chat_model_begins_texts_with_the_token_between_documents) {
    const Vocabulary vocabulary = gguf_vocabulary(smollm());
    EXPECT_EQ(
        vocabulary.roles,
        R"({"begin":"<|endoftext|>","end":"<|endoftext|>","pad":"<|im_end|>",)"
        R"("turn_begin":"<|im_start|>","turn_end":"<|im_end|>","file_separator":"<file_sep>"})");
    const auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
    EXPECT_EQ(tokenizer->bos(), 0);
    EXPECT_EQ(tokenizer->role(Role::kTurnEnd), 2);
}

TEST(GgufVocabulary, llama_3_has_its_own_names) {
    GgufTokenizer file = good({"<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>",
                               "<|end_header_id|>", "<|eot_id|>"});
    file.bos = 0;
    file.eos = 4;
    EXPECT_EQ(gguf_vocabulary(file).roles,
              R"({"begin":"<|begin_of_text|>","end":"<|end_of_text|>",)"
              R"("turn_begin":"<|start_header_id|>","turn_end":"<|eot_id|>"})");
}

TEST(GgufVocabulary, ids_decide_where_names_are_unknown) {
    GgufTokenizer file = good({"<A>", "<B>", "<C>", "<D>"});
    file.eos = 1;
    file.fim_prefix = 2;
    file.fim_separator = 3;
    EXPECT_EQ(gguf_vocabulary(file).roles,
              R"({"begin":"<B>","end":"<B>","gap_prefix":"<C>","file_separator":"<D>"})");
    file.bos = 0;
    EXPECT_EQ(gguf_vocabulary(file).roles,
              R"({"begin":"<A>","end":"<B>","gap_prefix":"<C>","file_separator":"<D>"})");
}

TEST(GgufVocabulary, user_defined_tokens_are_written_but_never_read) {
    GgufTokenizer file = good({"<|endoftext|>", "<think>", "<|fim_prefix|>", "[PAD]"});
    file.types[1] = file.types[2] = 4;
    file.types[3] = 5;
    file.pre = "qwen2";
    const auto tokenizer = Tokenizer::from_vocabulary(gguf_vocabulary(file));
    EXPECT_FALSE(tokenizer->is_special(1));
    EXPECT_EQ(tokenizer->bytes(1), "<think>");
    EXPECT_EQ(tokenizer->encode("<think>").size(), 6u) << "th is one";
    EXPECT_TRUE(tokenizer->is_special(2)) << "a control name";
    EXPECT_EQ(tokenizer->role(Role::kGapPrefix), 2);
    EXPECT_TRUE(tokenizer->is_special(3));
    EXPECT_TRUE(tokenizer->expects_nfc());
    const auto again = Tokenizer::from_json(tokenizer->to_json(), tokenizer->roles_json());
    EXPECT_EQ(again->to_json(), tokenizer->to_json());
    EXPECT_EQ(again->bytes(1), "<think>");
    EXPECT_EQ(again->pieces(), PieceRule::kQwen2);
}

TEST(GgufVocabulary, a_file_without_types_knows_control_tokens_by_name) {
    GgufTokenizer file = good({"<|endoftext|>", "<|im_start|>"});
    file.types.clear();
    const auto tokenizer = Tokenizer::from_vocabulary(gguf_vocabulary(file));
    EXPECT_TRUE(tokenizer->is_special(1));
    EXPECT_EQ(tokenizer->bos(), 0);
}

TEST(GgufVocabulary, names_what_is_broken) {
    struct Case {
        const char* what;
        Status status;
        std::function<void(GgufTokenizer&)> change;
    };
    const Case cases[] = {
        {"\"llama\" is not supported", Status::kUnsupported, [](auto& f) { f.model = "llama"; }},
        {"kind \"\"", Status::kUnsupported, [](auto& f) { f.model.clear(); }},
        {"\"bloom\" is not known; known are gpt-2, smollm, llama-bpe, qwen2", Status::kUnsupported,
         [](auto& f) { f.pre = "bloom"; }},
        {"\"a?b??\" is not known", Status::kUnsupported, [](auto& f) { f.pre = "a\nb\u00e9"; }},
        {"token 3 is not utf-8", Status::kCorrupt, [](auto& f) { f.tokens[3] = "<\xFF>"; }},
        {"no tokens", Status::kCorrupt, [](auto& f) { f.tokens.clear(); }},
        {"types", Status::kCorrupt, [](auto& f) { f.types.pop_back(); }},
        {"token 5 is of type 6", Status::kUnsupported, [](auto& f) { f.types[5] = 6; }},
        {"token 5 is not spelled", Status::kUnsupported, [](auto& f) { f.tokens[5] = "\u65e5"; }},
        {"merge 1 is no pair", Status::kCorrupt, [](auto& f) { f.merges[1] = "the"; }},
        {"merge 1 names an unknown token", Status::kCorrupt,
         [](auto& f) { f.merges[1] = "th x y"; }},
        {"merge 0 names an unknown token", Status::kCorrupt,
         [](auto& f) { f.merges[0] = "<file_sep> e"; }},
        {"merge 1 makes a token", Status::kCorrupt, [](auto& f) { f.merges[1] = "th x"; }},
        {"bos_token_id is 4000000000, outside", Status::kCorrupt,
         [](auto& f) { f.bos = 4000000000; }},
        {"byte 66 has no token", Status::kCorrupt, [](auto& f) { f.eos = 70; }},
    };
    for (const Case& broken : cases) {
        GgufTokenizer file = smollm();
        broken.change(file);
        const Answer given = answer(std::move(file));
        EXPECT_EQ(int(given.status), int(broken.status)) << broken.what;
        EXPECT_NE(given.text.find(broken.what), std::string::npos) << given.text;
    }
    EXPECT_EQ(int(answer(smollm()).status), int(Status::kOk));
}

}  // namespace rpt::text
