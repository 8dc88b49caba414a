// What special tokens are for. Code asks for a role; which token has it is told by the file.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace rpt::text {

enum class Role : uint8_t {
    kBegin,          // before every text
    kEnd,            // the model ends the text
    kPad,            // fills rows of a batch
    kTurnBegin,      // of one speaker in a conversation
    kTurnEnd,        //
    kGapPrefix,      // what stands before a gap follows
    kGapSuffix,      // what stands behind it follows
    kGapMiddle,      // what fills it follows
    kFileSeparator,  // between files of a project
};
inline constexpr size_t kRoles = 9;

// Id of the token that has a role, by role; -1: none has.
using Roles = std::array<int32_t, kRoles>;
inline constexpr Roles kNoRoles = {-1, -1, -1, -1, -1, -1, -1, -1, -1};

// As metadata spells it: "begin", "gap_prefix", ...
std::string_view role_name(Role role);

// Special tokens by id and name.
struct SpecialName {
    int32_t id;
    std::string_view name;
};
// A name of the form <|...|>, or one that has a role in some family of models. Files mark many of
// them as ordinary added tokens; a text must never become one.
bool is_control_name(std::string_view name);
// For an id of an embedding that no token has.
std::string unused_token_name(size_t id);

// A name from a file as an error text shows it: in quotation marks, at most 40 bytes, what is no
// printable ASCII as ?.
std::string shown_name(std::string_view name);

// Roles as the metadata of a model tells them: a JSON object of role names and names of special
// tokens. kCorrupt for an unknown role, a role without a token of that name, or other JSON.
Roles read_roles(std::string_view json, std::span<const SpecialName> special);
// For files without such metadata: the names that rpt-lab gives the special tokens of its own
// tokenizers. The one place that knows them by name.
Roles roles_by_name(std::span<const SpecialName> special);

// For a model that others trained. `told`: what its files say, -1 where they say nothing. Files of
// chat models often call the turn's tokens begin and end; there the names decide, and where files
// say nothing too. Begin falls back to end: texts of the training stood behind one of them.
Roles imported_roles(std::span<const SpecialName> special, const Roles& told = kNoRoles);
// What read_roles() reads.
std::string write_roles(const Roles& roles, std::span<const SpecialName> special);

}  // namespace rpt::text
