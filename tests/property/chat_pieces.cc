// Renders conversations for chat_template_reference.py: a JSON list of cases on stdin, their pieces
// as JSON on stdout.
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/text/chat_template.h"

namespace {

using Json = nlohmann::json;
using namespace rpt::text;

Json answer(const Json& given) {
    Vocabulary vocabulary;
    std::vector<SpecialName> names;
    for (const std::string name : given["special"]) {
        vocabulary.special.push_back(int32_t(vocabulary.tokens.size()));
        vocabulary.tokens.push_back(name);
    }
    for (int32_t id : vocabulary.special) names.push_back({id, vocabulary.tokens[size_t(id)]});
    vocabulary.roles = write_roles(imported_roles(names), names);
    for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(1, char(byte));
    const auto tokenizer = Tokenizer::from_vocabulary(vocabulary);
    std::vector<ChatMessage> messages;
    for (const Json& message : given["messages"])
        messages.push_back({message["role"], message["content"]});
    const ChatTemplate form(given["template"].get<std::string>(), *tokenizer);
    Json out = {{"name", form.name()}, {"pieces", Json::array()}};
    if (!form.known()) return out;
    for (const ChatPiece& piece : form.render(messages, given["answer"])) {
        if (piece.special < 0) {
            out["pieces"].push_back({{"text", piece.text}});
            continue;
        }
        const std::string& name = vocabulary.tokens[size_t(piece.special)];
        out["pieces"].push_back({{"special", name}});
    }
    return out;
}

}  // namespace

int main() {
    Json answers = Json::array();
    for (const Json& given : Json::parse(std::cin)) answers.push_back(answer(given));
    std::cout << answers.dump() << "\n";
}
