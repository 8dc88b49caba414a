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

Roles read_roles(std::string_view json, std::span<const SpecialName> special) {
    using Json = nlohmann::json;
    const Json root = Json::parse(json, nullptr, false);
    if (!root.is_object()) corrupt("no JSON object");
    Roles roles = kNoRoles;
    for (const auto& [key, value] : root.items()) {
        const auto role = std::ranges::find(kNames, key);
        if (role == kNames.end()) corrupt("\"" + key.substr(0, 40) + "\" is no role");
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

}  // namespace rpt::text
