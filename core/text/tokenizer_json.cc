// The `tokenizers` JSON layout; docs/format/tokenizer.md says which part of it is read.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/text/byte_alphabet.h"
#include "core/text/tokenizer_impl.h"
#include "core/text/tokenizer_sections.h"

namespace rpt::text {

namespace {

using Json = nlohmann::json;

constexpr size_t kMostTokens = size_t(1) << 24;

int32_t read_id(const Json& value, const std::string& where) {
    if (!value.is_number_integer()) corrupt_tokenizer_file(where + ": id is not a whole number");
    const int64_t id = value.is_number_unsigned() && value.get<uint64_t>() > kMostTokens
                           ? int64_t(kMostTokens)
                           : value.get<int64_t>();
    if (id < 0 || id >= int64_t(kMostTokens))
        corrupt_tokenizer_file(where + ": id is out of range");
    return int32_t(id);
}

struct Names {
    std::vector<std::string> spelled;  // by id
    std::vector<uint8_t> known, special, added;

    void set(int32_t id, const std::string& name, const std::string& where) {
        if (known[size_t(id)] && spelled[size_t(id)] != name)
            corrupt_tokenizer_file(where + ": id " + std::to_string(id) + " is used twice");
        spelled[size_t(id)] = name;
        known[size_t(id)] = 1;
    }
};

// Room for all ids; ids without a token may be few beside those that have one.
Names make_names(const Json& vocab, const Json& added) {
    const size_t n_named = vocab.size() + (added.is_null() ? 0 : added.size());
    int32_t last = 0;
    for (const auto& [name, id] : vocab.items()) last = std::max(last, read_id(id, "model.vocab"));
    for (const Json& token : added)
        if (token.is_object())
            last = std::max(last, read_id(json_member(token, "id"), "added_tokens"));
    const size_t n = size_t(last) + 1;
    if (n > n_named * 2)
        corrupt_tokenizer_file("the ids go up to " + std::to_string(last) + ", but only " +
                               std::to_string(n_named) + " have a token");
    return {std::vector<std::string>(n), std::vector<uint8_t>(n), std::vector<uint8_t>(n),
            std::vector<uint8_t>(n)};
}

Names read_names(const Json& root, const Json& vocab) {
    if (!vocab.is_object() || vocab.empty())
        corrupt_tokenizer_file("model.vocab is missing or empty");
    if (vocab.size() > kMostTokens) unsupported_tokenizer_file("more than 2^24 tokens");
    const Json& added = json_member(root, "added_tokens");
    if (!added.is_null() && !added.is_array()) corrupt_tokenizer_file("added_tokens is not a list");
    Names names = make_names(vocab, added);
    for (const auto& [name, id] : vocab.items()) names.set(id.get<int32_t>(), name, "model.vocab");
    for (const Json& token : added) {
        if (!token.is_object() || !json_member(token, "content").is_string())
            corrupt_tokenizer_file("added_tokens: an entry has no content");
        const std::string name = token["content"].get<std::string>();
        const int32_t id = read_id(json_member(token, "id"), "added_tokens");
        if (name.empty()) corrupt_tokenizer_file("added_tokens: an entry is empty");
        if (const auto found = vocab.find(name); found != vocab.end() && *found != id)
            corrupt_tokenizer_file("added_tokens: id " + std::to_string(id) +
                                   " differs from model.vocab");
        names.set(id, name, "added_tokens");
        if (names.special[size_t(id)] || names.added[size_t(id)])
            corrupt_tokenizer_file("added_tokens: id " + std::to_string(id) + " stands twice");
        const bool special = json_member(token, "special") == true || is_control_name(name);
        (special ? names.special : names.added)[size_t(id)] = 1;
    }
    for (size_t id = 0; id < names.known.size(); ++id) {
        if (names.known[id]) continue;
        names.spelled[id] = unused_token_name(id);
        names.special[id] = 1;
    }
    return names;
}

std::pair<std::string, std::string> read_merge(const Json& merge, size_t rank) {
    const std::string where = "model.merges: entry " + std::to_string(rank);
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
        return {merge[0].get<std::string>(), merge[1].get<std::string>()};
    if (!merge.is_string()) corrupt_tokenizer_file(where + " is no pair");
    const std::string text = merge.get<std::string>();
    const size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
        corrupt_tokenizer_file(where + " is no pair");
    return {text.substr(0, space), text.substr(space + 1)};
}

}  // namespace

Json parse_tokenizer_file(std::string_view json) {
    try {
        return Json::parse(json);
    } catch (const Json::parse_error& error) {
        corrupt_tokenizer_file(
            "no valid json at byte " + std::to_string(error.byte) + "; is the file complete",
            int64_t(error.byte));
    } catch (const Json::exception&) {  // a number that no type holds
        corrupt_tokenizer_file("no valid json");
    }
}

Vocabulary read_vocabulary(const Json& root) {
    if (!root.is_object()) corrupt_tokenizer_file("the top level is no object");
    if (const Json& version = json_member(root, "version"); !version.is_null() && version != "1.0")
        unsupported_tokenizer_file("version must be 1.0");
    const Json& model = json_member(root, "model");
    if (!model.is_object()) corrupt_tokenizer_file("model is missing");
    if (const Json& type = json_member(model, "type"); !type.is_null() && type != "BPE")
        unsupported_tokenizer_file("model.type must be BPE");
    const TokenizerSections sections = read_sections(root);
    for (const char* key :
         {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"})
        expect_off(model, key, "model");

    const Json& vocab = json_member(model, "vocab");
    Names names = read_names(root, vocab);
    Vocabulary vocabulary;
    vocabulary.pieces = sections.pieces;
    vocabulary.nfc = sections.nfc;
    vocabulary.ignore_merges = json_member(model, "ignore_merges") == true;
    for (size_t id = 0; id < names.spelled.size(); ++id) {
        if (names.special[id] || names.added[id]) {
            (names.special[id] ? vocabulary.special : vocabulary.added).push_back(int32_t(id));
            vocabulary.tokens.push_back(names.spelled[id]);
            continue;
        }
        std::optional<std::string> bytes = unspell_bytes(names.spelled[id]);
        if (!bytes)
            unsupported_tokenizer_file("model.vocab: token " + std::to_string(id) +
                                       " is not spelled in byte-level characters");
        vocabulary.tokens.push_back(std::move(*bytes));
    }
    const Json& merges = json_member(model, "merges");
    if (!merges.is_array()) corrupt_tokenizer_file("model.merges is missing");
    for (size_t rank = 0; rank < merges.size(); ++rank) {
        const auto [left, right] = read_merge(merges[rank], rank);
        std::pair<int32_t, int32_t> pair;
        for (auto [name, id] : {std::pair(&left, &pair.first), std::pair(&right, &pair.second)}) {
            const auto found = vocab.find(*name);
            if (found == vocab.end())
                corrupt_tokenizer_file("model.merges: entry " + std::to_string(rank) +
                                       " names an unknown token");
            *id = found->get<int32_t>();
        }
        vocabulary.merges.push_back(pair);
    }
    return vocabulary;
}

std::shared_ptr<const Tokenizer> Tokenizer::from_json(std::string_view json,
                                                      std::string_view roles) {
    Vocabulary vocabulary = read_vocabulary(parse_tokenizer_file(json));
    vocabulary.roles = roles;
    return from_vocabulary(std::move(vocabulary));
}

std::string Tokenizer::to_json() const {
    using Ordered = nlohmann::ordered_json;
    const Vocabulary& vocabulary = impl_->vocabulary;
    const auto spell = [&](int32_t id) {
        const std::string& token = vocabulary.tokens[size_t(id)];
        return impl_->kinds[size_t(id)] == Impl::Kind::kOrdinary ? spell_bytes(token) : token;
    };
    Ordered added = Ordered::array();
    for (int32_t id = 0; id < vocab_size(); ++id) {
        if (impl_->kinds[size_t(id)] == Impl::Kind::kOrdinary) continue;
        added.push_back({{"id", id},
                         {"content", spell(id)},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", is_special(id)}});
    }
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
    const std::string normalizer = vocabulary.nfc ? R"({"type":"NFC"})" : "null";
    const std::string ignore_merges = vocabulary.ignore_merges ? "true" : "false";
    return "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  "
           "\"added_tokens\": " +
           added.dump() + ",\n  \"normalizer\": " + normalizer +
           ",\n  \"pre_tokenizer\": " + write_pre_tokenizer(vocabulary.pieces) +
           ",\n  \"post_processor\": null,\n  \"decoder\": " + byte_level.dump() +
           ",\n  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": "
           "null,\n"
           "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n"
           "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n    \"ignore_merges\": " +
           ignore_merges +
           ",\n"
           "    \"vocab\": {" +
           vocab + "\n    },\n    \"merges\": [" + merges + "\n    ]\n  }\n}\n";
}

}  // namespace rpt::text
