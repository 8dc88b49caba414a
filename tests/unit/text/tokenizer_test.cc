#include "core/text/tokenizer.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/text/bpe_trainer.h"

namespace rpt::text {

namespace {

std::shared_ptr<const Tokenizer> trained() {
    BpeTrainer trainer;
    for (int i = 0; i < 3; ++i)
        trainer.add("the reader reads the book; don't read it twice, it's 100 % true\n\n");
    return trainer.train(320);
}

std::vector<int32_t> ids_of(const std::vector<Token>& tokens) {
    std::vector<int32_t> ids;
    for (const Token& token : tokens) ids.push_back(token.id);
    return ids;
}

std::vector<std::string> cut(const std::string& text) {
    std::vector<std::string> pieces;
    PieceScan scan;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = *pre_tokenizer(PieceRule::kGpt2).next(scan, text, begin, true);
        pieces.push_back(text.substr(begin, end - begin));
        begin = end;
    }
    return pieces;
}

}  // namespace

TEST(Gpt2Pieces, cuts_by_the_rule) {
    using Pieces = std::vector<std::string>;
    EXPECT_EQ(cut("I don't know"), (Pieces{"I", " don", "'t", " know"}));
    EXPECT_EQ(cut("we'll 'retry' they've"),
              (Pieces{"we", "'ll", " '", "retry", "'", " they", "'ve"}));
    EXPECT_EQ(cut("a  b"), (Pieces{"a", " ", " b"}));
    EXPECT_EQ(cut("a\n\n b"), (Pieces{"a", "\n\n", " b"}));
    EXPECT_EQ(cut("a\n\nb"), (Pieces{"a", "\n", "\n", "b"}));
    EXPECT_EQ(cut("a  "), (Pieces{"a", "  "}));
    EXPECT_EQ(cut("x12y == 3"), (Pieces{"x", "12", "y", " ==", " 3"}));
    EXPECT_EQ(cut("\u3000\u3000\u65e5\u672c"), (Pieces{"\u3000", "\u3000", "\u65e5\u672c"}));
    EXPECT_EQ(cut("'s't''re'"), (Pieces{"'s", "'t", "''", "re", "'"}));
    EXPECT_EQ(cut(""), Pieces{});
}

TEST(Gpt2Pieces, waits_while_more_text_could_move_the_border) {
    const PreTokenizer& pieces = pre_tokenizer(PieceRule::kGpt2);
    for (const std::string text : {"abc", " ", "  ", "'", "'r", "'l", "12", "--", " a"}) {
        PieceScan scan;
        EXPECT_FALSE(pieces.next(scan, text, 0, false).has_value()) << text;
        EXPECT_EQ(pieces.next(scan, text, 0, true), cut(text)[0].size()) << text;
    }
    for (const std::string text : {"'s", "'re", "ab ", "  a", "1a"}) {
        PieceScan scan;
        EXPECT_TRUE(pieces.next(scan, text, 0, false).has_value()) << text;
    }
}

TEST(Tokenizer, sizes_cover_the_text_and_decode_gives_it_back) {
    const auto tokenizer = trained();
    for (const std::string text : {"the reader reads", "it's 100 % true\n\n",
                                   "\u65e5\u672c \U0001F600 caf\u00e9", "", " ", "<|bos|>"}) {
        const std::vector<Token> tokens = tokenizer->encode(text);
        size_t size = 0;
        for (const Token& token : tokens) {
            EXPECT_EQ(token.size, tokenizer->bytes(token.id).size());
            EXPECT_FALSE(tokenizer->is_special(token.id));
            size += token.size;
        }
        EXPECT_EQ(size, text.size());
        EXPECT_EQ(tokenizer->decode(ids_of(tokens)), text);
    }
    EXPECT_LT(tokenizer->encode("the reader reads the book").size(), 12u);
}

TEST(Tokenizer, special_tokens_have_no_bytes) {
    const auto tokenizer = trained();
    EXPECT_EQ(tokenizer->bos(), 0);
    EXPECT_EQ(tokenizer->eos(), 1);
    EXPECT_EQ(tokenizer->pad(), 2);
    EXPECT_EQ(tokenizer->special("<|fim_prefix|>"), 3);
    EXPECT_EQ(tokenizer->special("<|fim_suffix|>"), 4);
    EXPECT_EQ(tokenizer->special("<|fim_middle|>"), 5);
    EXPECT_EQ(tokenizer->special("<|none|>"), -1);
    EXPECT_TRUE(tokenizer->bytes(0).empty());
    EXPECT_TRUE(tokenizer->is_special(5));
    EXPECT_FALSE(tokenizer->is_special(6));
    EXPECT_FALSE(tokenizer->is_special(-1));
    EXPECT_FALSE(tokenizer->is_special(1 << 30));
    EXPECT_EQ(tokenizer->decode({0, 1, 2}), "");
}

TEST(Tokenizer, json_round_trip_keeps_everything) {
    const auto tokenizer = trained();
    const auto again = Tokenizer::from_json(tokenizer->to_json());
    EXPECT_EQ(again->to_json(), tokenizer->to_json());
    const std::string text = "the reader don't read \u65e5\u672c";
    EXPECT_EQ(ids_of(again->encode(text)), ids_of(tokenizer->encode(text)));
}

TEST(Tokenizer, threads_share_one) {
    const auto tokenizer = trained();
    std::string text;
    for (int i = 0; i < 2000; ++i) text += "the reader " + std::to_string(i * i) + " reads\n";
    const std::vector<int32_t> wanted = ids_of(tokenizer->encode(text));
    std::vector<std::vector<int32_t>> answers(4);
    std::vector<std::thread> threads;
    for (auto& answer : answers)
        threads.emplace_back([&] { answer = ids_of(tokenizer->encode(text)); });
    for (std::thread& thread : threads) thread.join();
    for (const auto& answer : answers) EXPECT_EQ(answer, wanted);
}

TEST(Tokenizer, broken_utf8_costs_tokens_and_nothing_else) {
    const auto tokenizer = trained();
    const std::string text = "a\xFF\xC3(\xE2\x82 \xF0\x9F\x98";
    EXPECT_EQ(tokenizer->decode(ids_of(tokenizer->encode(text))), text);
    EXPECT_EQ(ids_of(tokenizer->encode(text)), ids_of(tokenizer->encode_slow(text)));
}

TEST(IncrementalEncoder, keeps_back_only_what_could_change) {
    IncrementalEncoder encoder(trained());
    std::vector<Token> out;
    encoder.append("the read", out);
    EXPECT_EQ(encoder.pending_bytes(), 5u);
    encoder.append("er ", out);
    EXPECT_EQ(encoder.pending_bytes(), 1u);
    const size_t before = out.size();
    EXPECT_EQ(encoder.peek().size(), 1u);
    EXPECT_EQ(out.size(), before);
    encoder.finish(out);
    EXPECT_EQ(encoder.pending_bytes(), 0u);
    EXPECT_EQ(ids_of(out), ids_of(trained()->encode("the reader ")));
}

TEST(IncrementalEncoder, a_copy_is_a_checkpoint) {
    const auto tokenizer = trained();
    IncrementalEncoder encoder(tokenizer);
    std::vector<Token> head;
    encoder.append("the rea", head);
    for (const std::string tail : {"der reads", "d it  ", "'s"}) {
        IncrementalEncoder copy = encoder;
        std::vector<Token> tokens = head;
        copy.append(tail, tokens);
        copy.finish(tokens);
        EXPECT_EQ(ids_of(tokens), ids_of(tokenizer->encode("the rea" + tail)));
    }
}

}  // namespace rpt::text
