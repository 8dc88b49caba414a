#include "core/text/gguf_vocabulary.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "core/text/byte_alphabet.h"
#include "core/text/utf8_gate.h"

namespace rpt::text {
namespace {

[[noreturn]] void corrupt(const std::string& why) {
    throw Error(Status::kCorrupt, "rpt", "tokenizer of the GGUF file: " + why);
}
[[noreturn]] void unsupported(const std::string& why) {
    throw Error(Status::kUnsupported, "rpt", "tokenizer of the GGUF file: " + why);
}

struct PreName {
    std::string_view name;
    PieceRule rule;
};
// Names of ggml.pre, those first that files use most.
constexpr PreName kPreNames[] = {
    {"gpt-2", PieceRule::kGpt2},
    {"smollm", PieceRule::kSmolLm},
    {"llama-bpe", PieceRule::kLlama3},
    {"qwen2", PieceRule::kQwen2},
    {"llama3", PieceRule::kLlama3},
    {"llama-v3", PieceRule::kLlama3},
    {"starcoder", PieceRule::kSmolLm},
    {"refact", PieceRule::kSmolLm},
    {"deepseek-r1-qwen", PieceRule::kQwen2},
};

PieceRule piece_rule(const std::string& pre) {
    std::string known;
    for (const PreName& entry : kPreNames) {
        if (entry.name == pre) return entry.rule;
        known += (known.empty() ? "" : ", ") + std::string(entry.name);
    }
    unsupported("its pre-tokenizer " + shown_name(pre) + " is not known; known are " + known);
}

// Values of ggml.token_type.
enum TokenType : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5 };

// Every token has a type afterwards, and a control name is one of a control token.
void check_types(GgufTokenizer& file) {
    if (file.tokens.empty()) corrupt("it has no tokens");
    if (file.types.empty())
        for (const std::string& token : file.tokens)
            file.types.push_back(is_control_name(token) ? kControl : kNormal);
    if (file.types.size() != file.tokens.size())
        corrupt(std::to_string(file.tokens.size()) + " tokens have " +
                std::to_string(file.types.size()) + " types");
    for (size_t id = 0; id < file.tokens.size(); ++id)
        if (file.types[id] == kUserDefined && is_control_name(file.tokens[id]))
            file.types[id] = kControl;
}

void take_tokens(GgufTokenizer& file, Vocabulary& vocabulary) {
    vocabulary.tokens.reserve(file.tokens.size());
    for (size_t id = 0; id < file.tokens.size(); ++id) {
        const std::string name = "token " + std::to_string(id);
        switch (file.types[id]) {
            case kNormal: {
                std::optional<std::string> bytes = unspell_bytes(file.tokens[id]);
                if (!bytes) unsupported(name + " is not spelled in byte-level characters");
                vocabulary.tokens.push_back(std::move(*bytes));
                break;
            }
            case kUserDefined:
            case kUnknown:
            case kControl:
            case kUnused:
                (file.types[id] == kUserDefined ? vocabulary.added : vocabulary.special)
                    .push_back(int32_t(id));
                if (valid_utf8_prefix(file.tokens[id]) != file.tokens[id].size())
                    corrupt(name + " is not utf-8");
                vocabulary.tokens.push_back(std::move(file.tokens[id]));
                break;
            default:
                unsupported(name + " is of type " + std::to_string(file.types[id]));
        }
    }
}

void take_merges(const GgufTokenizer& file, Vocabulary& vocabulary) {
    std::unordered_map<std::string_view, int32_t> ids;
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id)
        if (file.types[id] == kNormal) ids.emplace(vocabulary.tokens[id], int32_t(id));
    vocabulary.merges.reserve(file.merges.size());
    for (size_t rank = 0; rank < file.merges.size(); ++rank) {
        const std::string& merge = file.merges[rank];
        const std::string name = "merge " + std::to_string(rank);
        const size_t space = merge.find(' ');
        if (space == std::string::npos) corrupt(name + " is no pair");
        std::array<int32_t, 2> pair{};
        for (int side = 0; side < 2; ++side) {
            const auto bytes =
                unspell_bytes(side == 0 ? merge.substr(0, space) : merge.substr(space + 1));
            const auto found = bytes ? ids.find(*bytes) : ids.end();
            if (found == ids.end()) corrupt(name + " names an unknown token");
            pair[size_t(side)] = found->second;
        }
        vocabulary.merges.emplace_back(pair[0], pair[1]);
    }
}

// What the file says of roles. A token with a role is special, whatever its type.
Roles told_roles(GgufTokenizer& file) {
    Roles told = kNoRoles;
    const auto tell = [&](Role role, int64_t id, const char* key) {
        if (id < 0) return;
        if (id >= int64_t(file.tokens.size()))
            corrupt(std::string(key) + " is " + std::to_string(id) + ", outside the vocabulary");
        file.types[size_t(id)] = kControl;
        told[static_cast<size_t>(role)] = int32_t(id);
    };
    tell(Role::kBegin, file.bos, "bos_token_id");
    tell(Role::kEnd, file.eos, "eos_token_id");
    tell(Role::kPad, file.padding, "padding_token_id");
    tell(Role::kTurnEnd, file.eot, "eot_token_id");
    tell(Role::kGapPrefix, file.fim_prefix, "fim_pre_token_id");
    tell(Role::kGapSuffix, file.fim_suffix, "fim_suf_token_id");
    tell(Role::kGapMiddle, file.fim_middle, "fim_mid_token_id");
    tell(Role::kFileSeparator, file.fim_separator, "fim_sep_token_id");
    return told;
}

}  // namespace

Vocabulary gguf_vocabulary(GgufTokenizer file) {
    if (file.model != "gpt2")
        unsupported("its kind " + shown_name(file.model) +
                    " is not supported; byte-level BPE (\"gpt2\") is");
    Vocabulary vocabulary;
    vocabulary.pieces = piece_rule(file.pre);
    vocabulary.ignore_merges = vocabulary.pieces == PieceRule::kLlama3;
    vocabulary.nfc = vocabulary.pieces == PieceRule::kQwen2;
    check_types(file);
    const Roles told = told_roles(file);
    take_tokens(file, vocabulary);
    take_merges(file, vocabulary);
    std::vector<SpecialName> special;
    for (int32_t id : vocabulary.special) special.push_back({id, vocabulary.tokens[size_t(id)]});
    vocabulary.roles = write_roles(imported_roles(special, told), special);
    return vocabulary;
}

}  // namespace rpt::text
