#include "core/text/special_roles.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace rpt::text {
namespace {

// By role. On disk, never rename.
constexpr std::array<std::string_view, kRoles> kNames = {
    "begin",      "end",        "pad",        "turn_begin",     "turn_end",
    "gap_prefix", "gap_suffix", "gap_middle", "file_separator",
};

struct Spelling {
    Role role;
    std::string_view name;
};
constexpr Spelling kOwnTokenizers[] = {
    {Role::kBegin, "<|bos|>"},
    {Role::kEnd, "<|eos|>"},
    {Role::kPad, "<|pad|>"},
    {Role::kGapPrefix, "<|fim_prefix|>"},
    {Role::kGapSuffix, "<|fim_suffix|>"},
    {Role::kGapMiddle, "<|fim_middle|>"},
};

// Names that families of models use; the first that is there has the role.
constexpr Spelling kFamilies[] = {
    {Role::kBegin, "<|begin_of_text|>"},        // Llama 3
    {Role::kBegin, "<s>"},                      // Mistral
    {Role::kBegin, "<|endoftext|>"},            // GPT-2, SmolLM, Qwen: between documents
    {Role::kEnd, "<|end_of_text|>"},            // Llama 3
    {Role::kEnd, "</s>"},                       // Mistral
    {Role::kEnd, "<|endoftext|>"},              // GPT-2, SmolLM, Qwen
    {Role::kPad, "<|finetune_right_pad_id|>"},  // Llama 3
    {Role::kPad, "<pad>"},                      // Mistral
    {Role::kTurnBegin, "<|im_start|>"},         // ChatML: SmolLM, Qwen
    {Role::kTurnBegin, "<|start_header_id|>"},  // Llama 3
    {Role::kTurnBegin, "[INST]"},               // Mistral
    {Role::kTurnEnd, "<|im_end|>"},             // ChatML
    {Role::kTurnEnd, "<|eot_id|>"},             // Llama 3
    {Role::kGapPrefix, "<|fim_prefix|>"},       // Qwen
    {Role::kGapPrefix, "<fim_prefix>"},         // StarCoder
    {Role::kGapSuffix, "<|fim_suffix|>"},       // Qwen
    {Role::kGapSuffix, "<fim_suffix>"},         // StarCoder
    {Role::kGapMiddle, "<|fim_middle|>"},       // Qwen
    {Role::kGapMiddle, "<fim_middle>"},         // StarCoder
    {Role::kFileSeparator, "<|file_sep|>"},     // Qwen
    {Role::kFileSeparator, "<file_sep>"},       // StarCoder, SmolLM
};

int32_t find(std::span<const SpecialName> special, std::string_view name) {
    const auto found = std::ranges::find(special, name, &SpecialName::name);
    return found == special.end() ? -1 : found->id;
}

[[noreturn]] void corrupt(const std::string& why) {
    throw Error(Status::kCorrupt, "rpt", "roles of special tokens: " + why);
}

}  // namespace

std::string_view role_name(Role role) {
    return kNames.at(static_cast<size_t>(role));
}

bool is_control_name(std::string_view name) {
    return (name.size() > 4 && name.starts_with("<|") && name.ends_with("|>")) ||
           std::ranges::find(kFamilies, name, &Spelling::name) != std::end(kFamilies);
}

std::string unused_token_name(size_t id) {
    return "<|unused_" + std::to_string(id) + "|>";
}

std::string shown_name(std::string_view name) {
    std::string shown = "\"";
    for (char c : name.substr(0, 40)) shown += c >= ' ' && c <= '~' ? c : '?';
    return shown + "\"";
}

Roles read_roles(std::string_view json, std::span<const SpecialName> special) {
    using Json = nlohmann::json;
    const Json root = Json::parse(json, nullptr, false);
    if (!root.is_object()) corrupt("no JSON object");
    Roles roles = kNoRoles;
    for (const auto& [key, value] : root.items()) {
        const auto role = std::ranges::find(kNames, key);
        if (role == kNames.end()) corrupt(shown_name(key) + " is no role");
        const int32_t id = value.is_string() ? find(special, value.get<std::string>()) : -1;
        if (id < 0) corrupt("\"" + key + "\" names no special token of the tokenizer");
        roles[static_cast<size_t>(role - kNames.begin())] = id;
    }
    return roles;
}

Roles roles_by_name(std::span<const SpecialName> special) {
    Roles roles = kNoRoles;
    for (const Spelling& spelling : kOwnTokenizers)
        roles[static_cast<size_t>(spelling.role)] = find(special, spelling.name);
    return roles;
}

Roles imported_roles(std::span<const SpecialName> special, const Roles& told) {
    Roles named = kNoRoles;
    for (const Spelling& spelling : kFamilies) {
        int32_t& id = named[static_cast<size_t>(spelling.role)];
        if (id < 0) id = find(special, spelling.name);
    }
    const auto at = [](Role role) { return static_cast<size_t>(role); };
    const auto is_of_turn = [&](int32_t id) {
        return id >= 0 && (id == named[at(Role::kTurnBegin)] || id == named[at(Role::kTurnEnd)] ||
                           id == told[at(Role::kTurnBegin)] || id == told[at(Role::kTurnEnd)]);
    };
    Roles roles = named;
    for (size_t role = 0; role < kRoles; ++role) {
        const bool of_text = role == at(Role::kBegin) || role == at(Role::kEnd);
        if (told[role] >= 0 && !(of_text && is_of_turn(told[role]))) roles[role] = told[role];
    }
    int32_t& begin = roles[at(Role::kBegin)];
    int32_t& end = roles[at(Role::kEnd)];
    if (end < 0) end = told[at(Role::kEnd)];
    if (end < 0) end = roles[at(Role::kTurnEnd)];
    if (begin < 0) begin = end;
    if (begin < 0) begin = told[at(Role::kBegin)];
    return roles;
}

std::string write_roles(const Roles& roles, std::span<const SpecialName> special) {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    for (size_t role = 0; role < kRoles; ++role) {
        if (roles[role] < 0) continue;
        const auto found = std::ranges::find(special, roles[role], &SpecialName::id);
        RPT_CHECK(found != special.end());
        json[std::string(kNames[role])] = found->name;
    }
    return json.dump();
}

}  // namespace rpt::text
