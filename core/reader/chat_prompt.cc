#include "core/reader/chat_prompt.h"

#include <algorithm>

#include "base/error.h"

namespace rpt::reader {
namespace {

std::string on_one_line(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool space =
            c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
        if (!space)
            out += c;
        else if (!out.empty() && out.back() != ' ')
            out += ' ';
    }
    if (out.ends_with(' ')) out.pop_back();
    return out;
}

class Fitting {
  public:
    Fitting(const text::Tokenizer& tokenizer, const text::ChatTemplate& form,
            const ChatRequest& request)
        : tokenizer_(tokenizer), form_(form), request_(request) {}

    // The whole prompt with turns from `first_turn` on and the first `n_notes` notes.
    std::vector<int32_t> ids(size_t first_turn, size_t n_notes) const {
        std::vector<text::ChatMessage> messages;
        if (!request_.system.empty()) messages.push_back({"system", request_.system});
        messages.insert(messages.end(), request_.turns.begin() + ptrdiff_t(first_turn),
                        request_.turns.end());
        messages.push_back(
            {"user", with_notes(std::span(request_.notes).first(n_notes), request_.message)});
        std::vector<int32_t> ids;
        for (const text::ChatPiece& piece : form_.render(messages, true)) {
            if (piece.special >= 0)
                ids.push_back(piece.special);
            else
                for (const text::Token& token : tokenizer_.encode(piece.text))
                    ids.push_back(token.id);
        }
        return ids;
    }

  private:
    const text::Tokenizer& tokenizer_;
    const text::ChatTemplate& form_;
    const ChatRequest& request_;
};

}  // namespace

std::string with_notes(std::span<const std::string> notes, std::string_view message) {
    if (notes.empty()) return std::string(message);
    std::string out = "My notes:\n";
    for (const std::string& note : notes) out += "- " + on_one_line(note) + "\n";
    return out + "\n" + std::string(message);
}

ChatPrompt chat_prompt(const text::Tokenizer& tokenizer, const text::ChatTemplate& form,
                       const ChatRequest& request, size_t room) {
    const Fitting fitting(tokenizer, form, request);
    const size_t n = request.turns.size();
    ChatPrompt prompt;
    prompt.n_notes = request.notes.size();
    prompt.ids = fitting.ids(n, prompt.n_notes);
    while (prompt.ids.size() > room) {
        if (prompt.n_notes == 0)
            throw Error(Status::kTooLarge, "rpt",
                        "chat: the message has " + std::to_string(prompt.ids.size()) +
                            " tokens with what surrounds it, and this model has room for " +
                            std::to_string(room) + "; send less, or allow a shorter answer");
        prompt.ids = fitting.ids(n, --prompt.n_notes);
    }
    // Each step encodes at most `room` tokens that fit, and one turn that does not.
    for (size_t first = n; first-- > 0;) {
        if (request.turns[first].role != "user" && first != 0) continue;
        std::vector<int32_t> more = fitting.ids(first, prompt.n_notes);
        if (more.size() > room) break;
        prompt.ids = std::move(more);
        prompt.n_turns = n - first;
    }
    return prompt;
}

}  // namespace rpt::reader
