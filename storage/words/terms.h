// What a text is found by: its words, the parts of its identifiers, the names that it defines.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rpt::storage {

enum class TermKind : char {
    kWord = 'w',        // a word, or one part of an identifier: `get` and `user` of getUser
    kIdentifier = 'i',  // an identifier of several parts as a whole
    kDefinition = 'd',  // an identifier where it is defined, whole
};

struct Term {
    TermKind kind;
    std::string_view text;  // case folded, 1 to kMostTermBytes bytes; borrowed for the call
    size_t begin, end;      // bytes of the text where it stands
};

// A longer word is cut into several.
inline constexpr size_t kMostTermBytes = 96;

using TermSink = std::function<void(const Term&)>;

// Words and identifiers in order of their place. A word is a run of letters, numbers, marks and
// underscores. An identifier's parts end at underscores and where a capital begins a part; it
// follows its parts. Scripts that put no space between words give pairs of characters. `text` is
// UTF-8; a stray byte separates words.
void for_each_word(std::string_view text, const TermSink& sink);

// Names that lines of Python, C, C++, JavaScript, TypeScript, Go, Rust and Java define, by rules
// that know no more of the languages than a line shows.
void for_each_definition(std::string_view text, const TermSink& sink);

// The four-character pieces of a folded word, or the word itself if it is shorter, each once for
// every place where it stands.
std::vector<std::string_view> grams_of(std::string_view word);

}  // namespace rpt::storage
