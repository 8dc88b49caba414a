#include "core/text/bpe_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "base/error.h"
#include "core/text/byte_alphabet.h"

namespace rpt::text {

namespace {

std::vector<std::string> sample_documents() {
    std::mt19937 random(3);
    std::vector<std::string> documents;
    for (int d = 0; d < 40; ++d) {
        std::string text;
        for (int w = 0; w < 300; ++w) {
            const int size = 1 + int(random() % 6);
            for (int i = 0; i < size; ++i) text += "abcde"[random() % (1 + random() % 5)];
            text += random() % 5 ? " " : "\n";
        }
        documents.push_back(text);
    }
    return documents;
}

// The plain twin: recounts every pair before every merge.
Vocabulary train_slow(const std::vector<std::string>& documents, size_t vocab_size,
                      uint64_t min_frequency) {
    std::map<std::string, uint64_t> counts;
    for (const std::string& document : documents)
        for (std::string_view piece : pre_tokenizer(PieceRule::kGpt2).pieces_slow(document))
            ++counts[std::string(piece)];
    Vocabulary vocabulary;
    vocabulary.tokens = BpeTrainer::default_special_tokens();
    for (int32_t id = 0; id < int32_t(vocabulary.tokens.size()); ++id)
        vocabulary.special.push_back(id);
    for (uint8_t byte : bytes_in_character_order()) vocabulary.tokens.emplace_back(1, char(byte));
    const auto id_of = [&](const std::string& token) {
        return int32_t(std::find(vocabulary.tokens.begin() + 6, vocabulary.tokens.end(), token) -
                       vocabulary.tokens.begin());
    };
    std::vector<std::pair<std::vector<int32_t>, uint64_t>> words;
    for (const auto& [text, count] : counts) {
        words.push_back({{}, count});
        for (char byte : text) words.back().first.push_back(id_of(std::string(1, byte)));
    }
    while (vocabulary.tokens.size() < vocab_size) {
        std::map<std::pair<int32_t, int32_t>, uint64_t> pairs;
        for (const auto& [ids, count] : words)
            for (size_t i = 0; i + 1 < ids.size(); ++i) pairs[{ids[i], ids[i + 1]}] += count;
        auto best = pairs.begin();
        for (auto it = pairs.begin(); it != pairs.end(); ++it)
            if (it->second > best->second) best = it;
        if (best == pairs.end() || best->second < min_frequency) break;
        const auto [left, right] = best->first;
        const std::string joined =
            vocabulary.tokens[size_t(left)] + vocabulary.tokens[size_t(right)];
        if (id_of(joined) == int32_t(vocabulary.tokens.size())) vocabulary.tokens.push_back(joined);
        vocabulary.merges.push_back({left, right});
        for (auto& [ids, count] : words)
            for (size_t i = 0; i + 1 < ids.size(); ++i)
                if (ids[i] == left && ids[i + 1] == right) {
                    ids[i] = id_of(joined);
                    ids.erase(ids.begin() + ptrdiff_t(i) + 1);
                }
    }
    return vocabulary;
}

}  // namespace

TEST(BpeTrainer, learns_what_recounting_learns) {
    const std::vector<std::string> documents = sample_documents();
    BpeTrainer trainer;
    for (const std::string& document : documents) trainer.add(document);
    for (const uint64_t min_frequency : {uint64_t(1), uint64_t(2), uint64_t(40)}) {
        const Vocabulary slow = train_slow(documents, 500, min_frequency);
        EXPECT_EQ(trainer.train(500, min_frequency)->to_json(),
                  Tokenizer::from_vocabulary(slow)->to_json());
    }
}

TEST(BpeTrainer, result_does_not_depend_on_the_order_of_documents) {
    std::vector<std::string> documents = sample_documents();
    BpeTrainer one, two;
    for (const std::string& document : documents) one.add(document);
    std::reverse(documents.begin(), documents.end());
    for (const std::string& document : documents) two.add(document);
    EXPECT_EQ(one.train(400)->to_json(), two.train(400)->to_json());
    EXPECT_EQ(one.train(400)->to_json(), one.train(400)->to_json());
}

TEST(BpeTrainer, special_tokens_come_first_and_are_never_learned) {
    BpeTrainer trainer;
    for (int i = 0; i < 10; ++i) trainer.add("foobar foobar");
    const auto tokenizer = trainer.train(300, 2, {"<|bos|>", "foobar"});
    EXPECT_EQ(tokenizer->bos(), 0);
    EXPECT_EQ(tokenizer->special("foobar"), 1);
    EXPECT_EQ(tokenizer->eos(), -1);
    for (const Token& token : tokenizer->encode("foobar"))
        EXPECT_FALSE(tokenizer->is_special(token.id));
    EXPECT_GT(tokenizer->encode("foobar").size(), 1u);
}

TEST(BpeTrainer, without_texts_yields_bytes_only) {
    const auto tokenizer = BpeTrainer().train(1000);
    EXPECT_EQ(tokenizer->vocab_size(), 262);
    EXPECT_EQ(tokenizer->encode("a b").size(), 3u);
}

TEST(BpeTrainer, refuses_sizes_and_special_names_that_cannot_be) {
    EXPECT_THROW(BpeTrainer().train(261), Error);
    EXPECT_THROW(BpeTrainer().train(-1), Error);
    EXPECT_THROW(BpeTrainer().train(1000, 2, {"<|a|>", "<|a|>"}), Error);
    EXPECT_THROW(BpeTrainer().train(1000, 2, {"a"}), Error);  // the byte's own spelling
    EXPECT_THROW(BpeTrainer().train(1000, 2, {"<|\xFF|>"}), Error);
    EXPECT_THROW(BpeTrainer().train(1000, 2, {""}), Error);
}

}  // namespace rpt::text
