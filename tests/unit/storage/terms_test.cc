// Words, identifiers and definitions of texts.
#include <gtest/gtest.h>

#include "storage/words/terms.h"

namespace rpt::storage {
namespace {

using Strings = std::vector<std::string>;

Strings words_of(std::string_view text) {
    Strings out;
    for_each_word(text, [&](const Term& term) {
        out.push_back(std::string(1, static_cast<char>(term.kind)) + ":" + std::string(term.text));
    });
    return out;
}

Strings definitions_of(std::string_view text) {
    Strings out;
    for_each_definition(text, [&](const Term& term) {
        EXPECT_EQ(term.kind, TermKind::kDefinition);
        out.emplace_back(term.text);
    });
    return out;
}

TEST(terms, words_are_folded_and_identifiers_come_in_parts) {
    EXPECT_EQ(words_of("The sea, THE Sea."), (Strings{"w:the", "w:sea", "w:the", "w:sea"}));
    EXPECT_EQ(words_of("get_user getUser HTTPServer"),
              (Strings{"w:get", "w:user", "i:get_user", "w:get", "w:user", "i:getuser", "w:http",
                       "w:server", "i:httpserver"}));
    EXPECT_EQ(words_of("__init__ _x2 utf8"), (Strings{"w:init", "w:x2", "w:utf8"}));
    EXPECT_EQ(words_of("_a_b_"), (Strings{"w:a", "w:b", "i:a_b"}));
    EXPECT_EQ(words_of("___ ... \n"), Strings{});
    EXPECT_EQ(words_of(""), Strings{});
}

TEST(terms, any_script) {
    EXPECT_EQ(words_of("Größe ÉTÉ"), (Strings{"w:größe", "w:été"}));
    EXPECT_EQ(words_of("МИР Ελλάδα"), (Strings{"w:мир", "w:ελλάδα"}));
    // an accent that stands by itself belongs to its letter
    EXPECT_EQ(words_of("e\xCC\x81te"), Strings{"w:e\xCC\x81te"});
    EXPECT_EQ(words_of("हिन्दी"), Strings{"w:हिन्दी"});
    // no spaces: pairs
    EXPECT_EQ(words_of("東京都 a"), (Strings{"w:東京", "w:京都", "w:a"}));
    EXPECT_EQ(words_of("木"), Strings{"w:木"});
    EXPECT_EQ(words_of("x東y"), (Strings{"w:x", "w:東", "w:y"}));
    // stray bytes separate
    EXPECT_EQ(words_of("a\xFF"
                       "b\xE3\x81"),
              (Strings{"w:a", "w:b"}));
}

TEST(terms, places_are_those_of_the_text) {
    const std::string text = "  Ünder getUserName, 東京x";
    size_t n = 0;
    for_each_word(text, [&](const Term& term) {
        ASSERT_LT(term.begin, term.end);
        ASSERT_LE(term.end, text.size());
        // folding of these changes no byte count
        EXPECT_EQ(term.end - term.begin, term.text.size()) << term.text;
        ++n;
    });
    EXPECT_EQ(n, 7u);
}

TEST(terms, long_words_are_cut) {
    size_t bytes = 0;
    for_each_word(std::string(10000, 'x'), [&](const Term& term) {
        EXPECT_LE(term.text.size(), kMostTermBytes);
        bytes += term.text.size();
    });
    EXPECT_EQ(bytes, 10000u);
    std::string wide;
    for (int i = 0; i < 1000; ++i) wide += "ж";
    bytes = 0;
    for_each_word(wide, [&](const Term& term) {
        EXPECT_LE(term.text.size(), kMostTermBytes);
        bytes += term.text.size();
    });
    EXPECT_EQ(bytes, wide.size());
}

TEST(terms, grams) {
    using Views = std::vector<std::string_view>;
    EXPECT_EQ(grams_of("sea"), Views{"sea"});
    EXPECT_EQ(grams_of("seas"), Views{"seas"});
    EXPECT_EQ(grams_of("island"), (Views{"isla", "slan", "land"}));
    EXPECT_EQ(grams_of("größe"), (Views{"größ", "röße"}));
}

TEST(definitions, of_eight_languages) {
    const std::vector<std::pair<std::string, Strings>> cases{
        // Python
        {"def read_all(path):", {"read_all"}},
        {"    async def fetch(self, url):", {"fetch"}},
        {"class HtmlParser(Base):", {"htmlparser"}},
        {"MAX_SIZE = 10", {"max_size"}},
        {"names: dict[str, int] = {}", {"names"}},
        // C and C++
        {"#define BUFFER_SIZE 512", {"buffer_size"}},
        {"int main(int argc, char** argv) {", {"main"}},
        {"static void reset_state(struct state *s)", {"reset_state"}},
        {"std::vector<int> Parser::parse_line(std::string_view line) const {", {"parse_line"}},
        {"struct node {", {"node"}},
        {"namespace rpt {", {"rpt"}},
        // JavaScript and TypeScript
        {"export default function renderPage(props) {", {"renderpage"}},
        {"const parseUrl = (text) => {", {"parseurl"}},
        {"export interface Options {", {"options"}},
        {"type Handler = (event: Event) => void;", {"handler"}},
        {"  renderRow(row) {", {"renderrow"}},
        // Go
        {"func (s *Server) ListenAndServe(addr string) error {", {"listenandserve"}},
        {"func New() *Server {", {"new"}},
        {"type Server struct {", {"server"}},
        // Rust
        {"pub(crate) fn decode_block(data: &[u8]) -> Result<()> {", {"decode_block"}},
        {"pub struct Frame<'a> {", {"frame"}},
        {"macro_rules! hash_map {", {"hash_map"}},
        // Java
        {"    public static int countWords(String text) {", {"countwords"}},
        {"public final class WordCounter extends Base {", {"wordcounter"}},
    };
    for (const auto& [line, names] : cases) EXPECT_EQ(definitions_of(line), names) << line;
}

TEST(definitions, uses_and_prose_define_nothing) {
    for (const char* line :
         {"    return read_all(path)", "if (count > 0) {", "    for (int i = 0; i < n; ++i) {",
          "x == y", "print(value)", "    total = total + 1", "A class of its own is the best.",
          "The type of thing that one does", "value = compute(x);  ", "  while (true) {",
          "} else if (other(x)) {", "He said (twice) that", "  obj.method(a) {", "import os",
          "    parse(line, 3);"}) {
        const Strings found = definitions_of(line);
        const bool assigned = std::string_view(line).starts_with("value");
        EXPECT_EQ(found, assigned ? Strings{"value"} : Strings{}) << line;
    }
}

TEST(definitions, stand_where_the_name_stands) {
    const std::string text = "x\n\ndef  readAll(a):\n    pass\n";
    size_t n = 0;
    for_each_definition(text, [&](const Term& term) {
        EXPECT_EQ(text.substr(term.begin, term.end - term.begin), "readAll");
        EXPECT_EQ(term.text, "readall");
        ++n;
    });
    EXPECT_EQ(n, 1u);
}

}  // namespace
}  // namespace rpt::storage
