#include "core/text/special_roles.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/error.h"
#include "core/text/bpe_trainer.h"

namespace rpt::text {
namespace {

// A tokenizer whose special tokens have names that nothing knows.
Vocabulary foreign() {
    Vocabulary vocabulary;
    for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(1, char(byte));
    for (const char* name : {"<s>", "</s>", "<PRE>", "<SUF>", "<MID>"}) {
        vocabulary.special.push_back(int32_t(vocabulary.tokens.size()));
        vocabulary.tokens.emplace_back(name);
    }
    return vocabulary;
}

Status status_of(const std::string& roles) {
    Vocabulary vocabulary = foreign();
    vocabulary.roles = roles;
    try {
        Tokenizer::from_vocabulary(std::move(vocabulary));
    } catch (const Error& error) {
        return error.status();
    }
    return Status::kOk;
}

}  // namespace

TEST(SpecialRoles, tokenizers_of_our_own_tell_them_by_name) {
    BpeTrainer trainer;
    trainer.add("the reader");
    const auto tokenizer = trainer.train(270);
    EXPECT_EQ(tokenizer->role(Role::kBegin), tokenizer->special("<|bos|>"));
    EXPECT_EQ(tokenizer->role(Role::kEnd), tokenizer->special("<|eos|>"));
    EXPECT_EQ(tokenizer->role(Role::kGapPrefix), tokenizer->special("<|fim_prefix|>"));
    EXPECT_EQ(tokenizer->role(Role::kGapSuffix), tokenizer->special("<|fim_suffix|>"));
    EXPECT_EQ(tokenizer->role(Role::kGapMiddle), tokenizer->special("<|fim_middle|>"));
    EXPECT_EQ(tokenizer->role(Role::kFileSeparator), -1);
    EXPECT_EQ(Tokenizer::from_json(tokenizer->to_json())->bos(), tokenizer->bos());
}

TEST(SpecialRoles, metadata_tells_them_whatever_the_names) {
    EXPECT_EQ(Tokenizer::from_vocabulary(foreign())->bos(), -1);
    Vocabulary vocabulary = foreign();
    vocabulary.roles = R"({"begin":"<s>","end":"</s>","gap_prefix":"<PRE>","gap_suffix":"<SUF>",
                           "gap_middle":"<MID>"})";
    const auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
    EXPECT_EQ(tokenizer->bos(), 256);
    EXPECT_EQ(tokenizer->eos(), 257);
    EXPECT_EQ(tokenizer->role(Role::kGapMiddle), 260);
    EXPECT_EQ(tokenizer->pad(), -1);
    const std::string json = Tokenizer::from_vocabulary(foreign())->to_json();
    EXPECT_EQ(Tokenizer::from_json(json, R"({"begin":"</s>"})")->bos(), 257);
    EXPECT_EQ(Tokenizer::from_json(json, R"({"begin":"</s>"})")->eos(), -1) << "told, so all told";
}

TEST(SpecialRoles, metadata_that_is_wrong_is_refused) {
    for (const char* roles : {"[]", "{", "7", R"({"begin":7})", R"({"begin":"<none>"})",
                              R"({"begin":"a"})", R"({"start":"<s>"})"})
        EXPECT_EQ(status_of(roles), Status::kCorrupt) << roles;
    EXPECT_EQ(status_of("{}"), Status::kOk);
    EXPECT_EQ(status_of(R"({"file_separator":"<s>"})"), Status::kOk);
}

TEST(SpecialRoles, every_role_has_a_name_of_its_own) {
    std::set<std::string_view> names;
    for (size_t i = 0; i < kRoles; ++i) names.insert(role_name(Role(i)));
    EXPECT_EQ(names.size(), kRoles);
    EXPECT_FALSE(names.contains(""));
}

}  // namespace rpt::text
