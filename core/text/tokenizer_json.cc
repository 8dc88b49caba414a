// The `tokenizers` JSON layout; docs/format/tokenizer.md says which part of it is read.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "core/text/byte_alphabet.h"
#include "core/text/tokenizer_impl.h"

namespace rpt::text {

namespace {

using Json = nlohmann::json;

constexpr size_t kMostTokens = size_t(1) << 24;

[[noreturn]] void corrupt(const std::string& why, int64_t offset = -1) {
    throw Error(Status::kCorrupt, "rpt", "tokenizer file: " + why, offset);
}
[[noreturn]] void unsupported(const std::string& why) {
    throw Error(Status::kUnsupported, "rpt", "tokenizer file: " + why);
}

// Null when the key is missing.
const Json& member(const Json& object, const char* key) {
    static const Json& kNull = *new Json;  // never destroyed: no order of destruction to get wrong
    const auto found = object.find(key);
    return found == object.end() ? kNull : *found;
}

// Options that change what text becomes; absent, null or a neutral value is accepted.
void expect_off(const Json& object, const char* key, const char* where) {
    const Json& value = member(object, key);
    const bool off = value.is_null() || value == false || value == "" || value == 0 || value == 0.0;
    if (!off) unsupported(std::string(where) + "." + key + " is set");
}

void expect_type(const Json& section, const char* where, const char* wanted) {
    if (!section.is_object()) unsupported(std::string(where) + " must be of type " + wanted);
    const Json& type = member(section, "type");
    if (!type.is_string()) corrupt(std::string(where) + ".type is missing");
    if (type != wanted) unsupported(std::string(where) + ".type must be " + wanted);
}

void check_sections(const Json& root) {
    const Json& pre = member(root, "pre_tokenizer");
    expect_type(pre, "pre_tokenizer", "ByteLevel");
    expect_off(pre, "add_prefix_space", "pre_tokenizer");
    if (member(pre, "use_regex") == false) unsupported("pre_tokenizer.use_regex is false");
    expect_type(member(root, "decoder"), "decoder", "ByteLevel");
    if (!member(root, "normalizer").is_null()) unsupported("a normalizer is set");
    if (const Json& post = member(root, "post_processor"); !post.is_null())
        expect_type(post, "post_processor", "ByteLevel");
}

int32_t read_id(const Json& value, const std::string& where) {
    if (!value.is_number_integer()) corrupt(where + ": id is not a whole number");
    const int64_t id = value.is_number_unsigned() && value.get<uint64_t>() > kMostTokens
                           ? int64_t(kMostTokens)
                           : value.get<int64_t>();
    if (id < 0 || id >= int64_t(kMostTokens)) corrupt(where + ": id is out of range");
    return int32_t(id);
}

struct Names {
    std::vector<std::string> spelled;  // by id
    std::vector<uint8_t> known, special;

    void set(int32_t id, const std::string& name, const std::string& where) {
        if (size_t(id) >= spelled.size()) {
            spelled.resize(size_t(id) + 1);
            known.resize(size_t(id) + 1, 0);
            special.resize(size_t(id) + 1, 0);
        }
        if (known[size_t(id)] && spelled[size_t(id)] != name)
            corrupt(where + ": id " + std::to_string(id) + " is used twice");
        spelled[size_t(id)] = name;
        known[size_t(id)] = 1;
    }
};

Names read_names(const Json& root, const Json& vocab) {
    Names names;
    if (!vocab.is_object() || vocab.empty()) corrupt("model.vocab is missing or empty");
    if (vocab.size() > kMostTokens) unsupported("more than 2^24 tokens");
    for (const auto& [name, id] : vocab.items())
        names.set(read_id(id, "model.vocab"), name, "model.vocab");
    const Json& added = member(root, "added_tokens");
    if (!added.is_null() && !added.is_array()) corrupt("added_tokens is not a list");
    for (const Json& token : added) {
        if (!token.is_object() || !member(token, "content").is_string())
            corrupt("added_tokens: an entry has no content");
        const std::string name = token["content"].get<std::string>();
        const int32_t id = read_id(member(token, "id"), "added_tokens");
        if (name.empty()) corrupt("added_tokens: an entry is empty");
        if (member(token, "special") != true)
            unsupported("added_tokens: token " + std::to_string(id) + " is not special");
        if (const auto found = vocab.find(name); found != vocab.end() && *found != id)
            corrupt("added_tokens: id " + std::to_string(id) + " differs from model.vocab");
        names.set(id, name, "added_tokens");
        if (names.special[size_t(id)])
            corrupt("added_tokens: id " + std::to_string(id) + " stands twice");
        names.special[size_t(id)] = 1;
    }
    for (size_t id = 0; id < names.known.size(); ++id)
        if (!names.known[id])
            corrupt("id " + std::to_string(id) + " has no token; ids must be 0, 1, 2, ...");
    return names;
}

std::pair<std::string, std::string> read_merge(const Json& merge, size_t rank) {
    const std::string where = "model.merges: entry " + std::to_string(rank);
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
        return {merge[0].get<std::string>(), merge[1].get<std::string>()};
    if (!merge.is_string()) corrupt(where + " is no pair");
    const std::string text = merge.get<std::string>();
    const size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
        corrupt(where + " is no pair");
    return {text.substr(0, space), text.substr(space + 1)};
}

Vocabulary read_vocabulary(const Json& root) {
    if (!root.is_object()) corrupt("the top level is no object");
    if (const Json& version = member(root, "version"); !version.is_null() && version != "1.0")
        unsupported("version must be 1.0");
    const Json& model = member(root, "model");
    if (!model.is_object()) corrupt("model is missing");
    if (const Json& type = member(model, "type"); !type.is_null() && type != "BPE")
        unsupported("model.type must be BPE");
    check_sections(root);
    for (const char* key : {"dropout", "unk_token", "continuing_subword_prefix",
                            "end_of_word_suffix", "byte_fallback", "ignore_merges"})
        expect_off(model, key, "model");

    const Json& vocab = member(model, "vocab");
    Names names = read_names(root, vocab);
    Vocabulary vocabulary;
    for (size_t id = 0; id < names.spelled.size(); ++id) {
        if (names.special[id]) {
            vocabulary.special.push_back(int32_t(id));
            vocabulary.tokens.push_back(names.spelled[id]);
            continue;
        }
        std::optional<std::string> bytes = unspell_bytes(names.spelled[id]);
        if (!bytes)
            unsupported("model.vocab: token " + std::to_string(id) +
                        " is not spelled in byte-level characters");
        vocabulary.tokens.push_back(std::move(*bytes));
    }
    const Json& merges = member(model, "merges");
    if (!merges.is_array()) corrupt("model.merges is missing");
    for (size_t rank = 0; rank < merges.size(); ++rank) {
        const auto [left, right] = read_merge(merges[rank], rank);
        std::pair<int32_t, int32_t> pair;
        for (auto [name, id] : {std::pair(&left, &pair.first), std::pair(&right, &pair.second)}) {
            const auto found = vocab.find(*name);
            if (found == vocab.end())
                corrupt("model.merges: entry " + std::to_string(rank) + " names an unknown token");
            *id = found->get<int32_t>();
        }
        vocabulary.merges.push_back(pair);
    }
    return vocabulary;
}

}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::from_json(std::string_view json,
                                                      std::string_view roles) {
    Json root;
    try {
        root = Json::parse(json);
    } catch (const Json::parse_error& error) {
        corrupt("no valid json at byte " + std::to_string(error.byte) + "; is the file complete",
                int64_t(error.byte));
    } catch (const Json::exception&) {  // a number that no type holds
        corrupt("no valid json");
    }
    Vocabulary vocabulary = read_vocabulary(root);
    vocabulary.roles = roles;
    return from_vocabulary(std::move(vocabulary));
}

std::string Tokenizer::to_json() const {
    using Ordered = nlohmann::ordered_json;
    const Vocabulary& vocabulary = impl_->vocabulary;
    const auto spell = [&](int32_t id) {
        const std::string& token = vocabulary.tokens[size_t(id)];
        return is_special(id) ? token : spell_bytes(token);
    };
    Ordered added = Ordered::array();
    for (int32_t id : vocabulary.special)
        added.push_back({{"id", id},
                         {"content", spell(id)},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", true}});
    // ordered_json searches its keys one by one: the two long lists are written by hand
    std::string vocab, merges;
    for (int32_t id = 0; id < vocab_size(); ++id)
        vocab +=
            (id ? ",\n      " : "\n      ") + Ordered(spell(id)).dump() + ": " + std::to_string(id);
    for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
        const auto [left, right] = vocabulary.merges[rank];
        merges +=
            (rank ? ",\n      " : "\n      ") + Ordered(spell(left) + " " + spell(right)).dump();
    }
    const Ordered byte_level = {{"type", "ByteLevel"},
                                {"add_prefix_space", false},
                                {"trim_offsets", true},
                                {"use_regex", true}};
    return "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  "
           "\"added_tokens\": " +
           added.dump() + ",\n  \"normalizer\": null,\n  \"pre_tokenizer\": " + byte_level.dump() +
           ",\n  \"post_processor\": null,\n  \"decoder\": " + byte_level.dump() +
           ",\n  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": "
           "null,\n"
           "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n"
           "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n    \"ignore_merges\": "
           "false,\n"
           "    \"vocab\": {" +
           vocab + "\n    },\n    \"merges\": [" + merges + "\n    ]\n  }\n}\n";
}

}  // namespace rpt::text
