#include "core/text/chat_template.h"

#include "base/error.h"
#include "base/unicode_classes.h"

namespace rpt::text {
namespace {

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// Whether `part`, with a quotation mark before it, or behind it, stands in the program.
bool opens_literal(std::string_view jinja, std::string_view part) {
    for (const char* mark : {"'", "\""})
        if (contains(jinja, std::string(mark).append(part))) return true;
    return false;
}
bool closes_literal(std::string_view jinja, std::string_view part) {
    for (const char* mark : {"'", "\""})
        if (contains(jinja, std::string(part).append(mark))) return true;
    return false;
}

bool trims(std::string_view jinja) {
    return contains(jinja, "| trim") || contains(jinja, "|trim");
}

// The text, without < and braces, between `open` with a line end and `close`, in a string literal;
// the line end may be written as \n. Empty if there is none.
std::string literal_between(std::string_view jinja, std::string_view open, std::string_view close) {
    for (size_t at = jinja.find(open); at != std::string_view::npos;
         at = jinja.find(open, at + 1)) {
        std::string_view rest = jinja.substr(at + open.size());
        if (rest.starts_with("\n"))
            rest.remove_prefix(1);
        else if (rest.starts_with("\\n"))
            rest.remove_prefix(2);
        else
            continue;
        const std::string_view text = rest.substr(0, rest.find_first_of("<'\"{}\\"));
        if (text.empty() || !rest.substr(text.size()).starts_with(close)) continue;
        return std::string(text);
    }
    return {};
}

constexpr std::string_view kLlamaKnowledge = "Cutting Knowledge Date: December 2023";
// The date that the program falls back to. The library has no clock, and a fixed text keeps
// answers the same from day to day.
constexpr std::string_view kLlamaDate = "Today Date: 26 Jul 2024";

}  // namespace

// Joins text to text, so that it is encoded at once.
class ChatTemplate::Writer {
  public:
    void add(std::string_view text) {
        if (text.empty()) return;
        if (pieces_.empty() || pieces_.back().special >= 0) pieces_.emplace_back();
        pieces_.back().text += text;
    }
    void add(int32_t special, std::string_view otherwise = {}) {
        if (special < 0)
            add(otherwise);
        else
            pieces_.push_back({special, {}});
    }
    std::vector<ChatPiece> take() { return std::move(pieces_); }

  private:
    std::vector<ChatPiece> pieces_;
};

ChatTemplate::ChatTemplate(std::string_view jinja, const Tokenizer& tokenizer) {
    if (jinja.empty())
        name_ = "none";
    else if (contains(jinja, "<|im_start|>"))
        read_chatml(jinja, tokenizer);
    else if (contains(jinja, "<|start_header_id|>"))
        read_llama3(jinja, tokenizer);
    else if (contains(jinja, "[INST]"))
        read_mistral(jinja, tokenizer);
}

void ChatTemplate::read_chatml(std::string_view jinja, const Tokenizer& tokenizer) {
    turn_ = tokenizer.special("<|im_start|>");
    end_ = tokenizer.special("<|im_end|>");
    // Phi-4 puts a token of its own behind the role
    if (turn_ < 0 || end_ < 0 || !contains(jinja, "<|im_end|>") || contains(jinja, "<|im_sep|>"))
        return;
    form_ = Form::kChatMl;
    name_ = "chatml";
    trims_ = trims(jinja);
    default_system_ = literal_between(jinja, "<|im_start|>system", "<|im_end|>");
}

void ChatTemplate::read_llama3(std::string_view jinja, const Tokenizer& tokenizer) {
    turn_ = tokenizer.special("<|start_header_id|>");
    header_ = tokenizer.special("<|end_header_id|>");
    end_ = tokenizer.special("<|eot_id|>");
    if (turn_ < 0 || header_ < 0 || end_ < 0 || !contains(jinja, "<|eot_id|>")) return;
    form_ = Form::kLlama3;
    name_ = "llama-3";
    trims_ = trims(jinja);
    if (contains(jinja, kLlamaKnowledge)) {
        name_ = "llama-3.1";
        system_head_ = std::string(kLlamaKnowledge) + "\n" + std::string(kLlamaDate) + "\n\n";
    }
}

void ChatTemplate::read_mistral(std::string_view jinja, const Tokenizer& tokenizer) {
    // Llama 2 wraps the system's text in the first question
    if (!contains(jinja, "[/INST]") || contains(jinja, "<<SYS>>") || tokenizer.eos() < 0) return;
    form_ = Form::kMistral;
    name_ = "mistral";
    trims_ = trims(jinja);
    question_ = tokenizer.special("[INST]");
    question_end_ = tokenizer.special("[/INST]");
    end_ = tokenizer.eos();
    if (closes_literal(jinja, "[INST] ")) question_text_.assign(1, ' ');
    if (opens_literal(jinja, " [/INST]")) question_end_text_.assign(1, ' ');
    if (contains(jinja, "\" \" +") || contains(jinja, "' ' +")) answer_text_.assign(1, ' ');
}

std::string_view ChatTemplate::content(std::string_view text) const {
    if (!trims_) return text;
    const auto is_space = [&](size_t at) {
        const char32_t point = code_point_at(text, at).value;
        return class_of(point) == CharClass::kSpace || (point >= 0x1C && point <= 0x1F);
    };
    while (!text.empty() && is_space(0)) text.remove_prefix(code_point_at(text, 0).size);
    while (!text.empty()) {
        size_t last = text.size() - 1;
        while (last > 0 && (uint8_t(text[last]) & 0xC0) == 0x80) --last;
        if (!is_space(last)) break;
        text = text.substr(0, last);
    }
    return text;
}

void ChatTemplate::render_turns(std::span<const ChatMessage> messages, bool answer,
                                Writer& writer) const {
    const auto open = [&](std::string_view role) {
        writer.add(turn_);
        writer.add(role);
        writer.add(header_, "\n");
        if (header_ >= 0) writer.add("\n\n");
    };
    const auto close = [&] {
        writer.add(end_);
        if (form_ == Form::kChatMl) writer.add("\n");
    };
    const bool has_system = !messages.empty() && messages[0].role == "system";
    if (!system_head_.empty() || (!has_system && !default_system_.empty())) {
        open("system");
        writer.add(system_head_);
        writer.add(has_system ? content(messages[0].text) : std::string_view(default_system_));
        close();
        if (has_system) messages = messages.subspan(1);
    }
    for (const ChatMessage& message : messages) {
        open(message.role);
        writer.add(content(message.text));
        close();
    }
    if (answer) open("assistant");
}

// The system's text stands in the last question.
void ChatTemplate::render_mistral(std::span<const ChatMessage> messages, Writer& writer) const {
    std::string system;
    if (!messages.empty() && messages[0].role == "system") {
        system = messages[0].text + "\n\n";
        messages = messages.subspan(1);
    }
    size_t last = messages.size();
    for (size_t i = 0; i < messages.size(); ++i)
        if (messages[i].role == "user") last = i;
    for (size_t i = 0; i < messages.size(); ++i) {
        const ChatMessage& message = messages[i];
        if (message.role == "user") {
            writer.add(question_, "[INST]");
            writer.add(question_text_);
            if (i == last) writer.add(system);
            writer.add(message.text);
            writer.add(question_end_text_);
            writer.add(question_end_, "[/INST]");
        } else if (message.role == "assistant") {
            writer.add(answer_text_);
            writer.add(content(message.text));
            writer.add(end_);
        } else {
            throw Error(Status::kArgument, "rpt",
                        "chat: this model's form has no role " + shown_name(message.role) +
                            " here; it has user and assistant, and one system message first");
        }
    }
}

std::vector<ChatPiece> ChatTemplate::render(std::span<const ChatMessage> messages,
                                            bool answer) const {
    Writer writer;
    switch (form_) {
        case Form::kOther:
            throw Error(Status::kUnsupported, "rpt",
                        name_ == "none"
                            ? "chat: the model's files tell no form of a conversation (chat "
                              "template); continue a text, or take an instruct model"
                            : "chat: the model's chat template is none of chatml, llama-3, "
                              "llama-3.1 and mistral, or lacks their tokens; continue a text "
                              "instead");
        case Form::kChatMl:
        case Form::kLlama3:
            render_turns(messages, answer, writer);
            break;
        case Form::kMistral:
            render_mistral(messages, writer);
            break;
    }
    return writer.take();
}

}  // namespace rpt::text
