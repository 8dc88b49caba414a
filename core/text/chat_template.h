// How a chat model writes a conversation: messages to text and special tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/tokenizer.h"

namespace rpt::text {

struct ChatMessage {
    std::string role;  // "system", "user", "assistant"
    std::string text;
};

// A special token, or text to encode.
struct ChatPiece {
    int32_t special = -1;  // id; -1: this is text
    std::string text;
};

// Model files carry their form as a Jinja program. The library runs none: it knows four forms by
// the special tokens and texts that the program names. Immutable; shared by threads.
class ChatTemplate {
  public:
    // `jinja` as the model's file has it. A form whose special tokens the tokenizer lacks is not
    // known either.
    ChatTemplate(std::string_view jinja, const Tokenizer& tokenizer);

    // "chatml", "llama-3", "llama-3.1", "mistral"; "none" for an empty program, "other" for one
    // that is not known.
    std::string_view name() const { return name_; }
    bool known() const { return form_ != Form::kOther; }
    // What the model is told where the first message is not a system's; empty: nothing.
    const std::string& default_system() const { return default_system_; }
    // The token with which the model ends its message; -1 if the form is not known.
    int32_t end_of_turn() const { return known() ? end_ : -1; }

    // The conversation, with `answer` up to where the model's next message begins. Pieces of text
    // are as long as can be, and encoding them gives no special token, so a message cannot end a
    // turn or begin one. The token that begins every text is not among the pieces.
    // kUnsupported if the form is not known; kArgument for a role that the form does not have.
    std::vector<ChatPiece> render(std::span<const ChatMessage> messages, bool answer) const;

  private:
    enum class Form { kOther, kChatMl, kLlama3, kMistral };
    class Writer;

    void read_chatml(std::string_view jinja, const Tokenizer& tokenizer);
    void read_llama3(std::string_view jinja, const Tokenizer& tokenizer);
    void read_mistral(std::string_view jinja, const Tokenizer& tokenizer);
    std::string_view content(std::string_view text) const;
    void render_turns(std::span<const ChatMessage> messages, bool answer, Writer& writer) const;
    void render_mistral(std::span<const ChatMessage> messages, Writer& writer) const;

    Form form_ = Form::kOther;
    std::string_view name_ = "other";
    std::string default_system_;
    bool trims_ = false;  // white space around messages is dropped

    int32_t turn_ = -1;        // before the role
    int32_t header_ = -1;      // behind the role; -1: a line feed
    int32_t end_ = -1;         // behind the message
    std::string system_head_;  // Llama 3.1: stands before the system's text, always there

    // Mistral; what is no special token is text
    int32_t question_ = -1, question_end_ = -1;
    std::string question_text_, question_end_text_, answer_text_;
};

}  // namespace rpt::text
