#include "core/text/tokenizer_sections.h"

#include "base/error.h"

namespace rpt::text {
namespace {

using Json = nlohmann::json;
using Ordered = nlohmann::ordered_json;

// A split by a regular expression. Files differ in nothing but the expression.
struct SplitRule {
    PieceRule rule;
    std::string_view regex;
};
constexpr SplitRule kSplits[] = {
    {PieceRule::kLlama3,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
     R"(\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {PieceRule::kQwen2,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
     R"(\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

std::string type_of(const Json& section, const std::string& where) {
    if (!section.is_object()) unsupported_tokenizer_file(where + " is missing");
    const Json& type = json_member(section, "type");
    if (!type.is_string()) corrupt_tokenizer_file(where + ".type is missing");
    return type.get<std::string>();
}

// Whether the byte-level step cuts by GPT-2's expression.
bool byte_level_cuts(const Json& step, const char* where) {
    expect_off(step, "add_prefix_space", where);
    return json_member(step, "use_regex") != false;
}

PieceRule split_rule(const Json& step) {
    const Json& pattern = json_member(step, "pattern");
    const Json& regex = pattern.is_object() ? json_member(pattern, "Regex") : pattern;
    if (json_member(step, "behavior") != "Isolated")
        unsupported_tokenizer_file("pre_tokenizer: a split's behavior must be Isolated");
    expect_off(step, "invert", "pre_tokenizer");
    for (const SplitRule& known : kSplits)
        if (regex == known.regex) return known.rule;
    unsupported_tokenizer_file(
        "pre_tokenizer splits by an expression that is not known; known are those of Llama 3 and "
        "Qwen2");
}

PieceRule read_pre_tokenizer(const Json& section) {
    const char* const where = "pre_tokenizer";
    const std::string type = type_of(section, where);
    if (type == "ByteLevel") {
        if (!byte_level_cuts(section, where))
            unsupported_tokenizer_file("pre_tokenizer.use_regex is false");
        return PieceRule::kGpt2;
    }
    const Json& steps = json_member(section, "pretokenizers");
    if (type != "Sequence" || !steps.is_array() || steps.size() != 2 ||
        type_of(steps[1], where) != "ByteLevel")
        unsupported_tokenizer_file(
            "pre_tokenizer must be ByteLevel, or a Sequence of Digits or Split and ByteLevel");
    const std::string first = type_of(steps[0], where);
    const bool cuts = byte_level_cuts(steps[1], where);
    if (first == "Digits" && cuts && json_member(steps[0], "individual_digits") == true)
        return PieceRule::kSmolLm;
    if (first == "Split" && !cuts) return split_rule(steps[0]);
    unsupported_tokenizer_file("pre_tokenizer: the sequence " + shown_name(first) +
                               ", ByteLevel is not known with these options");
}

// The special token that a TemplateProcessing puts before a single text.
std::string template_begin(const Json& step) {
    const Json& pieces = json_member(step, "single");
    if (!pieces.is_array() || pieces.empty() || !pieces[0].is_object()) return {};
    const Json& special = json_member(pieces[0], "SpecialToken");
    const Json& id = special.is_object() ? json_member(special, "id") : special;
    return id.is_string() ? id.get<std::string>() : std::string();
}

std::string read_post_processor(const Json& section) {
    if (section.is_null()) return {};
    const std::string type = type_of(section, "post_processor");
    if (type == "ByteLevel") return {};
    if (type == "TemplateProcessing") return template_begin(section);
    const Json& steps = json_member(section, "processors");
    if (type != "Sequence" || !steps.is_array())
        unsupported_tokenizer_file(
            "post_processor must be ByteLevel, TemplateProcessing or a Sequence of them");
    std::string begin;
    for (const Json& step : steps) {
        const std::string kind = type_of(step, "post_processor");
        if (kind == "TemplateProcessing")
            begin = template_begin(step);
        else if (kind != "ByteLevel")
            unsupported_tokenizer_file("post_processor: " + shown_name(kind) + " is not known");
    }
    return begin;
}

}  // namespace

const Json& json_member(const Json& object, const char* key) {
    static const Json& kNull = *new Json;  // never destroyed: no order of destruction to get wrong
    const auto found = object.find(key);
    return found == object.end() ? kNull : *found;
}

void corrupt_tokenizer_file(const std::string& why, int64_t offset) {
    throw Error(Status::kCorrupt, "rpt", "tokenizer file: " + why, offset);
}
void unsupported_tokenizer_file(const std::string& why) {
    throw Error(Status::kUnsupported, "rpt", "tokenizer file: " + why);
}

void expect_off(const Json& object, const char* key, const char* where) {
    const Json& value = json_member(object, key);
    const bool off = value.is_null() || value == false || value == "" || value == 0 || value == 0.0;
    if (!off) unsupported_tokenizer_file(std::string(where) + "." + key + " is set");
}

TokenizerSections read_sections(const Json& root) {
    TokenizerSections sections;
    sections.pieces = read_pre_tokenizer(json_member(root, "pre_tokenizer"));
    if (type_of(json_member(root, "decoder"), "decoder") != "ByteLevel")
        unsupported_tokenizer_file("decoder.type must be ByteLevel");
    if (const Json& normalizer = json_member(root, "normalizer"); !normalizer.is_null()) {
        if (type_of(normalizer, "normalizer") != "NFC")
            unsupported_tokenizer_file("normalizer must be null or NFC");
        sections.nfc = true;
    }
    sections.begin = read_post_processor(json_member(root, "post_processor"));
    return sections;
}

std::string write_pre_tokenizer(PieceRule rule) {
    const auto byte_level = [](bool use_regex) {
        return Ordered{{"type", "ByteLevel"},
                       {"add_prefix_space", false},
                       {"trim_offsets", true},
                       {"use_regex", use_regex}};
    };
    const auto after = [&](Ordered first, bool use_regex) {
        return Ordered{{"type", "Sequence"},
                       {"pretokenizers", Ordered::array({first, byte_level(use_regex)})}}
            .dump();
    };
    if (rule == PieceRule::kGpt2) return byte_level(true).dump();
    if (rule == PieceRule::kSmolLm)
        return after({{"type", "Digits"}, {"individual_digits", true}}, true);
    for (const SplitRule& split : kSplits)
        if (split.rule == rule)
            return after({{"type", "Split"},
                          {"pattern", {{"Regex", std::string(split.regex)}}},
                          {"behavior", "Isolated"},
                          {"invert", false}},
                         false);
    RPT_CHECK(!"a rule without a section");
    return {};
}

}  // namespace rpt::text
