#include "lab/ways/passage.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "lab/train/json_lines.h"

namespace rpt::ways {
namespace {

bool inside_code_point(const std::string& text, size_t at) {
    return at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80;
}

// Whether the text up to byte `end` by itself has exactly its first n tokens.
bool stands_alone(const text::Tokenizer& tokenizer, const std::string& text, size_t end,
                  std::span<const text::Token> tokens, size_t n) {
    if (inside_code_point(text, end)) return false;
    const std::vector<text::Token> alone = tokenizer.encode(text.substr(0, end));
    return alone.size() == n &&
           std::ranges::equal(alone, tokens.first(n), {}, &text::Token::id, &text::Token::id);
}

// The first `request.tokens` tokens; nothing if there are fewer.
std::optional<Passage> passage_of(const text::Tokenizer& tokenizer, std::string text,
                                  const PassageRequest& request) {
    const auto n = static_cast<size_t>(request.tokens),
               first = static_cast<size_t>(request.first_token);
    if (text.size() < n * 2) return std::nullopt;
    // eight bytes a token are more than enough of them
    size_t most = std::min(text.size(), n * 8);
    while (inside_code_point(text, most)) --most;
    text.resize(most);
    const std::vector<text::Token> tokens = tokenizer.encode(text);
    if (tokens.size() <= n) return std::nullopt;
    std::vector<size_t> ends{0};  // bytes, behind the first i tokens
    for (size_t i = 0; i < n; ++i) ends.push_back(ends.back() + tokens[i].size);
    // the next place from token i on where a piece may end
    const auto border = [&](size_t i) {
        while (i < n && !stands_alone(tokenizer, text, ends[i], tokens, i)) ++i;
        return i;
    };
    Passage passage;
    size_t begin = border(first);
    passage.context = text.substr(0, ends[begin]);
    while (begin < n) {
        size_t end = border(std::min(n, begin + static_cast<size_t>(request.piece)));
        size_t last = ends[end];
        if (end == n)
            while (inside_code_point(text, last)) --last;
        if (last > ends[begin])
            passage.pieces.push_back(text.substr(ends[begin], last - ends[begin]));
        begin = end;
    }
    if (passage.pieces.empty()) return std::nullopt;
    return passage;
}

}  // namespace

std::string Passage::scored() const {
    std::string all;
    for (const std::string& piece : pieces) all += piece;
    return all;
}

std::vector<Passage> read_passages(const text::Tokenizer& tokenizer, const PassageRequest& request,
                                   const std::vector<std::string>& corpora) {
    std::vector<Passage> out;
    for (const std::string& input : corpora) {
        const size_t cut = input.find('=');
        if (cut == std::string::npos || cut == 0)
            throw Error(Status::kArgument, "rpt",
                        "corpus \"" + input + "\": write NAME=FILE, such as books=test.jsonl.zst");
        const std::string path = input.substr(cut + 1);
        const auto lines = train::LineReader::open(path);
        std::string line;
        int64_t taken = 0, number = 0;
        while (taken < request.documents && lines->next(line)) {
            train::CorpusDocument document =
                train::parse_document(line, path + ":" + std::to_string(++number));
            std::optional<Passage> passage =
                passage_of(tokenizer, std::move(document.text), request);
            if (!passage) continue;
            passage->corpus = input.substr(0, cut);
            passage->id = std::move(document.id);
            out.push_back(std::move(*passage));
            ++taken;
        }
        if (taken == 0)
            throw Error(Status::kArgument, "rpt",
                        "corpus \"" + path + "\": no document has " +
                            std::to_string(request.tokens) +
                            " tokens; give --tokens a smaller number");
    }
    return out;
}

}  // namespace rpt::ways
