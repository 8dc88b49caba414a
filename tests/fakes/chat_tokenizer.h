// A tokenizer of bytes with special tokens, and the form of a conversation that it fits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/text/tokenizer.h"

namespace rpt::fakes {

inline constexpr const char* kChatMl =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{% endfor %}";

// Token b is byte b; the special ones follow from 256 on, first the one that begins every text.
inline std::shared_ptr<const text::Tokenizer> chat_tokenizer(
    const std::vector<std::string>& special) {
    text::Vocabulary vocabulary;
    for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(1, char(byte));
    std::vector<text::SpecialName> names;
    for (const std::string& name : special) {
        vocabulary.special.push_back(int32_t(vocabulary.tokens.size()));
        names.push_back({vocabulary.special.back(), name});
        vocabulary.tokens.push_back(name);
    }
    // names of our own tokenizers tell their roles
    if (special.front() != "<|bos|>")
        vocabulary.roles = text::write_roles(text::imported_roles(names), names);
    return text::Tokenizer::from_vocabulary(std::move(vocabulary));
}

}  // namespace rpt::fakes
