// Conversations: the prompt is aside of the session, and the answer ends with the model's turn.
#include <gtest/gtest.h>

#include "tests/fakes/chat_tokenizer.h"
#include "tests/unit/reader/session_fixture.h"

namespace rpt::reader {
namespace {

class SessionChat : public SessionFixture {
  protected:
    SessionChat() {
        engine_ = std::make_shared<fakes::FakeEngine>(
            fakes::chat_tokenizer({"<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>"}));
        engine_->mutable_config().stride = 256;
        engine_->chat = fakes::kChatMl;
        store_ = std::make_shared<fakes::WatchedStore>(*engine_);
        space_ = store_->open_space("o", "c", true);
    }
    static GenerateOptions asking(const std::string& message, uint32_t max_tokens = 60) {
        GenerateOptions options = greedy(max_tokens);
        options.chat = ChatRequest{"", {}, {}, message};
        return options;
    }
    // What the model reads for `request`, with the token that begins every text.
    std::vector<int32_t> prompt_of(const ChatRequest& request) const {
        const text::ChatTemplate form(engine_->chat, *engine_->tokenizer());
        std::vector<int32_t> ids = chat_prompt(*engine_->tokenizer(), form, request, 4096).ids;
        ids.insert(ids.begin(), engine_->tokenizer()->bos());
        return ids;
    }
    // The model answers `text` to this very prompt and to no other, then `last`.
    void answer(const ChatRequest& request, const std::string& text, const char* last) {
        const std::vector<int32_t> prompt = prompt_of(request);
        std::vector<int32_t> out;
        for (const text::Token& token : engine_->tokenizer()->encode(text)) out.push_back(token.id);
        out.push_back(engine_->tokenizer()->special(last));
        engine_->script = [prompt, out](std::span<const int32_t> tokens) {
            const size_t n = prompt.size();
            if (tokens.size() < n || tokens.size() - n >= out.size() ||
                !std::equal(prompt.begin(), prompt.end(), tokens.begin()))
                return -1;
            return out[tokens.size() - n];
        };
    }
};

TEST_F(SessionChat, answers_the_conversation_up_to_the_end_of_the_turn) {
    const ChatRequest request{
        "Be kind.", {{"user", "hi"}, {"assistant", "hello"}}, {"the key is red"}, "what key?"};
    for (const char* last : {"<|im_end|>", "<|eos|>"}) {
        answer(request, "A red one.", last);
        Told told;
        GenerateOptions options = greedy(60);
        options.chat = request;
        const auto of = session();
        const GenerateResult result = of->generate(options, into(told));
        EXPECT_EQ(told.text, "A red one.");
        EXPECT_EQ(int(result.finish), int(Finish::kEos));
        EXPECT_EQ(result.tokens, 10u);
        EXPECT_EQ(result.chat_turns, 2u);
        EXPECT_EQ(result.chat_notes, 1u);
    }
}

TEST_F(SessionChat, leaves_the_session_as_it_was) {
    const auto a = session_after(long_text()), b = session_after(long_text());
    Told told;
    a->generate(asking("who?"), into(told));
    EXPECT_FALSE(told.text.empty());
    EXPECT_EQ(a->offset(), b->offset());
    EXPECT_EQ(fingerprint(*a), fingerprint(*b));
}

TEST_F(SessionChat, says_the_same_again) {
    const auto of = session_after(long_text());
    Told first, second;
    of->generate(asking("who?"), into(first));
    of->generate(asking("who?"), into(second));
    EXPECT_EQ(first.text, second.text);
    EXPECT_FALSE(first.hits.empty()) << "spaces and the session's past are read";
}

TEST_F(SessionChat, without_memory_nothing_is_retrieved) {
    const auto of = session_after(long_text());
    GenerateOptions options = asking("who?");
    options.no_memory = true;
    Told told;
    EXPECT_EQ(of->generate(options, into(told)).retrievals, 0u);
    EXPECT_TRUE(told.hits.empty());
}

TEST_F(SessionChat, refuses_what_it_cannot_answer) {
    const auto of = session();
    GenerateOptions both = asking("who?");
    both.suffix = "after";
    EXPECT_EQ(int(status_of([&] { of->generate(both, {}); })), int(Status::kArgument));
    EXPECT_EQ(int(status_of([&] { of->generate(asking(std::string(600, 'a')), {}); })),
              int(Status::kTooLarge));
    engine_->chat.clear();
    EXPECT_EQ(int(status_of([&] { of->generate(asking("who?"), {}); })), int(Status::kUnsupported));
}

// The window has 512 positions: the begin token, room for the answer, and the prompt.
TEST_F(SessionChat, a_shorter_answer_leaves_more_room) {
    const auto of = session();
    const size_t frame = prompt_of({"", {}, {}, ""}).size();
    const auto fits = [&](size_t bytes, uint32_t max_tokens) {
        return status_of([&] { of->generate(asking(std::string(bytes, 'a'), max_tokens), {}); }) ==
               Status::kOk;
    };
    EXPECT_TRUE(fits(512 - frame - 4, 4));
    EXPECT_FALSE(fits(512 - frame - 3, 4));
    EXPECT_TRUE(fits(512 - frame - 128, 500));
    EXPECT_FALSE(fits(512 - frame - 127, 500));
}

}  // namespace
}  // namespace rpt::reader
