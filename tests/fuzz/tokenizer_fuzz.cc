// Target tokenizer: a tokenizer file is refused, or it encodes any text as its plain twin does and
// gives the text back.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/byte_alphabet.h"
#include "core/text/tokenizer.h"
#include "core/text/tokenizer_sections.h"
#include "core/text/utf8_gate.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/input_bytes.h"

namespace rpt::fuzz {
namespace {

using text::IncrementalEncoder;
using text::Token;
using text::Tokenizer;

constexpr size_t kMostText = 512;  // the twin's time grows with the square

// The 256 bytes, which every vocabulary must have, as entries of "vocab".
std::string spelled_bytes() {
    std::string entries;
    for (int byte = 0; byte < 256; ++byte) {
        const std::string spelled = text::spell_bytes(std::string(1, char(byte)));
        entries += entries.empty() ? "\"" : ",\"";
        if (spelled == "\"" || spelled == "\\") entries += '\\';
        entries += spelled + "\":" + std::to_string(byte);
    }
    return entries;
}

// The rule of an input in the short form: what its first byte stands for.
std::optional<text::PieceRule> short_form(std::string_view input) {
    switch (input.empty() ? '\0' : input[0]) {
        case 'v':
            return text::PieceRule::kGpt2;
        case 's':
            return text::PieceRule::kSmolLm;
        case 'l':
            return text::PieceRule::kLlama3;
        case 'q':
            return text::PieceRule::kQwen2;
        default:
            return std::nullopt;
    }
}

// Inputs are a file, a zero byte and a text to encode. One in the short form stands for a file
// around what may differ: the rule, further entries of the vocabulary, merges, added tokens, each
// up to a zero byte.
std::string file_of(InputBytes& in, std::optional<text::PieceRule> rule) {
    if (!rule) return std::string(in.take_until('\0'));
    in.byte();
    static const std::string& kBytes = *new std::string(spelled_bytes());
    const std::string vocab(in.take_until('\0')), merges(in.take_until('\0')),
        added(in.take_until('\0'));
    return R"({"version":"1.0","added_tokens":[)" + added +
           R"(],"normalizer":null,"pre_tokenizer":)" + text::write_pre_tokenizer(*rule) +
           R"(,"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","ignore_merges":)" +
           (rule == text::PieceRule::kLlama3 ? "true" : "false") + R"(,"vocab":{)" + kBytes +
           vocab + R"(},"merges":[)" + merges + "]}}";
}

bool same(const std::vector<Token>& a, const std::vector<Token>& b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
        if (a[i].id != b[i].id || a[i].size != b[i].size) return false;
    return true;
}

// `all_bytes`: each has a token, so none is left out.
void check_text(const std::shared_ptr<const Tokenizer>& tokenizer, std::string_view text,
                bool all_bytes) {
    const std::vector<Token> tokens = tokenizer->encode(text);
    expect(same(tokens, tokenizer->encode_slow(text)), "the plain twin gives other tokens");
    std::vector<int32_t> ids;
    size_t covered = 0;
    for (const Token& token : tokens) {
        expect(token.id >= 0 && token.id < tokenizer->vocab_size(), "an id outside the vocabulary");
        expect(!tokenizer->is_special(token.id), "text became a special token");
        const std::string_view bytes = tokenizer->bytes(token.id);
        expect(!all_bytes || bytes == text.substr(covered, token.size),
               "a token's bytes are not those of the text");
        covered += token.size;
        ids.push_back(token.id);
    }
    expect(covered == text.size(), "tokens do not cover the text");
    expect(!all_bytes || tokenizer->decode(ids) == text, "decoding gives another text");

    IncrementalEncoder encoder(tokenizer);
    std::vector<Token> pieces;
    for (size_t at = 0, step = 1; at < text.size(); step = step * 3 % 31 + 1) {
        const std::string_view piece = text.substr(at, step);
        // whole code points; a longer step where none ends
        const size_t whole = text::valid_utf8_prefix(piece);
        if (whole == 0) continue;
        encoder.append(piece.substr(0, whole), pieces);
        at += whole;
    }
    encoder.finish(pieces);
    expect(same(tokens, pieces), "pieces of the text give other tokens than the whole");
}

void run_tokenizer(std::string_view input) {
    InputBytes in(input);
    const std::optional<text::PieceRule> rule = short_form(input);
    const std::string file = file_of(in, rule);
    std::shared_ptr<const Tokenizer> tokenizer;
    if (!accepts([&] { tokenizer = Tokenizer::from_json(file); })) return;
    for (const int32_t id : {tokenizer->bos(), tokenizer->eos(), tokenizer->pad()})
        expect(id == -1 || (id >= 0 && id < tokenizer->vocab_size() && tokenizer->is_special(id)),
               "a role that is no special token");
    const std::string written = tokenizer->to_json();
    const std::shared_ptr<const Tokenizer> again = Tokenizer::from_json(written);
    expect(again->to_json() == written, "writing again gives another file");
    expect(again->vocab_size() == tokenizer->vocab_size(), "tokens were lost in writing");
    std::string_view text = in.rest().substr(0, kMostText);
    text = text.substr(0, text::valid_utf8_prefix(text));
    check_text(tokenizer, text, rule.has_value());
    expect(same(tokenizer->encode(text), again->encode(text)),
           "what was written encodes otherwise");
}

}  // namespace
}  // namespace rpt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    rpt::fuzz::run_tokenizer({reinterpret_cast<const char*>(data), size});
    return 0;
}
