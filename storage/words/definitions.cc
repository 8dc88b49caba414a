// Which names a line defines. The rules see one line at a time.
#include <algorithm>
#include <array>
#include <optional>

#include "base/unicode_classes.h"
#include "storage/words/terms.h"

namespace rpt::storage {
namespace {

using std::string_view;

// Stand before the name of a function or of a type.
constexpr std::array kKeywords{
    string_view("def"),       string_view("class"),      string_view("fn"),
    string_view("func"),      string_view("function"),   string_view("struct"),
    string_view("enum"),      string_view("union"),      string_view("trait"),
    string_view("interface"), string_view("type"),       string_view("namespace"),
    string_view("module"),    string_view("mod"),        string_view("record"),
    string_view("typedef"),   string_view("macro_rules")};
// Stand before these, or before a method's type.
constexpr std::array kModifiers{
    string_view("async"),    string_view("export"),  string_view("default"),
    string_view("public"),   string_view("private"), string_view("protected"),
    string_view("static"),   string_view("final"),   string_view("abstract"),
    string_view("pub"),      string_view("unsafe"),  string_view("extern"),
    string_view("inline"),   string_view("virtual"), string_view("constexpr"),
    string_view("explicit"), string_view("declare"), string_view("synchronized"),
    string_view("override"), string_view("readonly")};
constexpr std::array kVariables{string_view("const"), string_view("let"), string_view("var"),
                                string_view("static")};
// Stand before a parenthesis and define nothing.
constexpr std::array kStatements{
    string_view("if"),     string_view("for"),    string_view("while"),  string_view("switch"),
    string_view("return"), string_view("catch"),  string_view("sizeof"), string_view("elif"),
    string_view("else"),   string_view("do"),     string_view("new"),    string_view("throw"),
    string_view("and"),    string_view("or"),     string_view("not"),    string_view("in"),
    string_view("is"),     string_view("with"),   string_view("assert"), string_view("print"),
    string_view("await"),  string_view("yield"),  string_view("case"),   string_view("import"),
    string_view("delete"), string_view("except"), string_view("lambda"), string_view("function")};

template <typename List>
bool has(const List& list, string_view word) {
    return std::ranges::find(list, word) != list.end();
}

// Reads a line from its beginning.
class LineReader {
  public:
    explicit LineReader(string_view line) : line_(line) {}

    void skip_spaces() {
        while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t')) ++at_;
    }
    // A name at the place, which moves behind it; empty if there is none.
    string_view name() {
        const size_t begin = at_;
        while (at_ < line_.size()) {
            const Classified here = classify(line_, at_);
            const bool in_name = line_[at_] == '_' || line_[at_] == '$' ||
                                 here.kind == CharClass::kLetter ||
                                 (at_ > begin && here.kind == CharClass::kNumber);
            if (!in_name) break;
            at_ += here.size;
        }
        return line_.substr(begin, at_ - begin);
    }
    char next() const { return at_ < line_.size() ? line_[at_] : '\0'; }
    bool take(char c) {
        if (next() != c) return false;
        ++at_;
        return true;
    }
    // Behind the parenthesis that closes the one at the place, or at the end of the line.
    void skip_parentheses() {
        int depth = 0;
        while (at_ < line_.size()) {
            const char c = line_[at_++];
            if (c == '(') ++depth;
            if (c == ')' && --depth == 0) return;
        }
    }
    size_t at() const { return at_; }
    void go(size_t at) { at_ = at; }
    string_view rest() const { return line_.substr(at_); }

  private:
    string_view line_;
    size_t at_ = 0;
};

// What stands behind the name of a definition: a bracket, a colon, an end; in prose a word follows.
bool ends_name(string_view rest) {
    const size_t at = rest.find_first_not_of(" \t");
    if (at == string_view::npos) return true;
    if (string_view("(:{<=[;!,").find(rest[at]) != string_view::npos) return true;
    LineReader behind(rest.substr(at));
    const string_view word = behind.name();
    constexpr std::array kBehind{string_view("extends"), string_view("implements"),
                                 string_view("struct"),  string_view("interface"),
                                 string_view("where"),   string_view("final"),
                                 string_view("func")};
    return has(kBehind, word);
}

struct Name {
    size_t begin, end;  // in the line
};

std::optional<Name> name_here(LineReader& reader) {
    const size_t begin = reader.at();
    if (reader.name().empty()) return std::nullopt;
    return Name{begin, reader.at()};
}

// `def NAME`, `pub fn NAME`, `func (r *T) NAME`, `const NAME =`.
std::optional<Name> behind_keyword(LineReader reader, bool at_margin) {
    for (;;) {
        reader.skip_spaces();
        const string_view word = reader.name();
        if (word.empty()) return std::nullopt;
        if (word == "pub" && reader.next() == '(') reader.skip_parentheses();
        if (at_margin && has(kVariables, word)) {
            LineReader variable = reader;
            variable.skip_spaces();
            const auto name = name_here(variable);
            variable.skip_spaces();
            if (name && (variable.next() == '=' || variable.next() == ':')) return name;
        }
        if (has(kKeywords, word)) {
            reader.take('!');
            reader.skip_spaces();
            if (word == "func" && reader.next() == '(') reader.skip_parentheses();
            reader.take('*');
            reader.skip_spaces();
            const auto name = name_here(reader);
            return name && ends_name(reader.rest()) ? name : std::nullopt;
        }
        if (!has(kModifiers, word)) return std::nullopt;
    }
}

// `NAME = value` and `NAME: type = value` at the margin.
std::optional<Name> assigned(LineReader reader) {
    const auto name = name_here(reader);
    if (!name) return std::nullopt;
    reader.skip_spaces();
    if (reader.take(':')) {
        const size_t equals = reader.rest().find('=');
        return equals != string_view::npos ? name : std::nullopt;
    }
    return reader.take('=') && reader.next() != '=' ? name : std::nullopt;
}

std::optional<Name> macro(LineReader reader) {
    if (!reader.take('#')) return std::nullopt;
    reader.skip_spaces();
    if (reader.name() != "define") return std::nullopt;
    reader.skip_spaces();
    return name_here(reader);
}

// `int NAME(int a) {` at the margin, `public int NAME(` and `NAME(a) {` in a class.
std::optional<Name> called(string_view line, bool at_margin) {
    const size_t open = line.find('(');
    if (open == string_view::npos || open == 0) return std::nullopt;
    if (line.substr(0, open).find_first_of("=.\"'#;)") != string_view::npos) return std::nullopt;
    LineReader reader(line);
    reader.skip_spaces();
    string_view last, first;
    size_t begin = 0, words = 0;
    while (reader.at() < open) {
        const size_t at = reader.at();
        const string_view word = reader.name();
        if (word.empty()) {
            reader.go(at + 1);
            continue;
        }
        if (words++ == 0) first = word;
        last = word;
        begin = at;
    }
    if (words == 0 || begin + last.size() != open || has(kStatements, last) ||
        has(kStatements, first) || has(kKeywords, first))
        return std::nullopt;
    const size_t end = line.find_last_not_of(" \t\r");
    const bool body = line[end] == '{';
    const bool modified = has(kModifiers, first);
    const bool ended = line[end] == ';' || line[end] == ':';
    if (body || (modified && !ended) || (at_margin && words > 1 && !ended && line[end] != ','))
        return Name{begin, open};
    return std::nullopt;
}

}  // namespace

void for_each_definition(string_view text, const TermSink& sink) {
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        const string_view line = text.substr(begin, std::min<size_t>(end - begin, 1024));
        LineReader reader(line);
        reader.skip_spaces();
        if (!reader.rest().empty()) {
            const bool at_margin = reader.at() == 0;
            std::optional<Name> name = behind_keyword(reader, at_margin);
            if (!name && at_margin) name = assigned(reader);
            if (!name) name = macro(reader);
            if (!name) name = called(line, at_margin);
            if (name) {
                // as for_each_word() folds it, whole
                std::string folded;
                for_each_word(line.substr(name->begin, name->end - name->begin),
                              [&](const Term& term) {
                                  if (term.text.size() > folded.size()) folded = term.text;
                              });
                if (!folded.empty())
                    sink({TermKind::kDefinition, folded, begin + name->begin, begin + name->end});
            }
        }
        begin = end + 1;
    }
}

}  // namespace rpt::storage
