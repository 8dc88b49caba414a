#include "core/text/imported_tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text/tokenizer_sections.h"

namespace rpt::text {
namespace {

using Json = nlohmann::json;

// A token is named by a string or by an object with its options.
std::string token_name(const Json& config, const char* key) {
    const Json& value = json_member(config, key);
    const Json& name = value.is_object() ? json_member(value, "content") : value;
    return name.is_string() ? name.get<std::string>() : std::string();
}

// A template alone, or the one named "default" in a list.
std::string chat_template(const Json& config) {
    const Json& value = json_member(config, "chat_template");
    if (value.is_string()) return value.get<std::string>();
    if (value.is_array())
        for (const Json& entry : value)
            if (entry.is_object() && json_member(entry, "name") == "default" &&
                json_member(entry, "template").is_string())
                return json_member(entry, "template").get<std::string>();
    return {};
}

// The id of a special or added token, which then is special; -1: none has the name.
int32_t special_id(Vocabulary& vocabulary, const std::string& name) {
    for (int32_t id : vocabulary.special)
        if (vocabulary.tokens[size_t(id)] == name) return id;
    for (int32_t id : vocabulary.added) {
        if (vocabulary.tokens[size_t(id)] != name) continue;
        std::erase(vocabulary.added, id);
        vocabulary.special.push_back(id);
        return id;
    }
    return -1;
}

}  // namespace

ImportedTokenizer import_tokenizer(std::string_view json, std::string_view config, size_t n_rows) {
    const Json root = parse_tokenizer_file(json);
    Json options = Json::object();
    if (!config.empty()) {
        options = Json::parse(config, nullptr, false);
        if (!options.is_object())
            corrupt_tokenizer_file("tokenizer_config.json holds no JSON object");
    }
    Vocabulary vocabulary = read_vocabulary(root);
    if (vocabulary.tokens.size() > n_rows)
        corrupt_tokenizer_file("it has " + std::to_string(vocabulary.tokens.size()) +
                               " tokens, but the model's embedding " + std::to_string(n_rows) +
                               " rows");
    fill_vocabulary(vocabulary, n_rows);
    Roles told = kNoRoles;
    std::string begin = token_name(options, "bos_token");
    if (begin.empty()) begin = read_sections(root).begin;
    told[static_cast<size_t>(Role::kBegin)] = special_id(vocabulary, begin);
    told[static_cast<size_t>(Role::kEnd)] =
        special_id(vocabulary, token_name(options, "eos_token"));
    told[static_cast<size_t>(Role::kPad)] =
        special_id(vocabulary, token_name(options, "pad_token"));
    std::vector<SpecialName> special;
    for (int32_t id : vocabulary.special) special.push_back({id, vocabulary.tokens[size_t(id)]});
    vocabulary.roles = write_roles(imported_roles(special, told), special);
    return {Tokenizer::from_vocabulary(std::move(vocabulary)), chat_template(options)};
}

}  // namespace rpt::text
