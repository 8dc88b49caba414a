// Target utf8_gate: any bytes, cut anywhere, pass the gate as a plain reading of the Unicode table
// says.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/utf8_gate.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/input_bytes.h"

namespace rpt::fuzz {
namespace {

using text::Utf8Gate;

// Unicode 15, table 3-7: well-formed UTF-8, a range for each byte.
struct Row {
    size_t size;
    uint8_t low[4], high[4];
};
constexpr Row kRows[] = {
    {1, {0x00}, {0x7F}},
    {2, {0xC2, 0x80}, {0xDF, 0xBF}},
    {3, {0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}},
    {3, {0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}},
    {3, {0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}},
    {3, {0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}},
    {4, {0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}},
    {4, {0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}},
    {4, {0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}},
};

// The longest beginning of `text` that begins a row, and whether the row is whole.
struct Reading {
    size_t size = 0;
    bool whole = false;
};
Reading read_one(std::string_view text) {
    Reading best;
    for (const Row& row : kRows) {
        size_t n = 0;
        while (n < row.size && n < text.size() && uint8_t(text[n]) >= row.low[n] &&
               uint8_t(text[n]) <= row.high[n])
            ++n;
        if (n > best.size) best = {n, n == row.size};
    }
    return best;
}

struct Expected {
    std::string replaced;                 // the whole text, invalid parts as U+FFFD
    std::optional<size_t> first_invalid;  // before the end, not merely unfinished
    std::optional<size_t> unfinished;     // where a code point that the end cuts begins
};

Expected expected_of(std::string_view text) {
    Expected out;
    for (size_t at = 0; at < text.size();) {
        const Reading reading = read_one(text.substr(at));
        const size_t size = reading.size == 0 ? 1 : reading.size;
        if (reading.whole) {
            out.replaced += text.substr(at, size);
        } else {
            out.replaced += "\xEF\xBF\xBD";
            if (reading.size > 0 && at + size == text.size())
                out.unfinished = at;
            else if (!out.first_invalid)
                out.first_invalid = at;
        }
        at += size;
    }
    return out;
}

std::string take_pieces(const std::vector<Utf8Gate::Piece>& pieces, uint64_t& source) {
    std::string text;
    for (const Utf8Gate::Piece& piece : pieces) {
        expect(!piece.text.empty() && piece.source_bytes > 0, "an empty piece");
        expect(piece.text.size() == piece.source_bytes || piece.text == "\xEF\xBF\xBD",
               "a piece of another length than its source");
        text += piece.text;
        source += piece.source_bytes;
    }
    return text;
}

void check_replacing(std::string_view text, const std::vector<size_t>& cuts,
                     const Expected& wanted) {
    Utf8Gate gate(Utf8Gate::Mode::kReplace);
    std::string got;
    uint64_t source = 0;
    size_t begin = 0;
    for (const size_t end : cuts) {
        got += take_pieces(gate.append(text.substr(begin, end - begin)), source);
        begin = end;
        expect(gate.offset() == end, "the gate's offset is not what it was given");
        expect(gate.pending() <= 3 && source + gate.pending() == end, "bytes were lost at a cut");
    }
    got += take_pieces(gate.finish(), source);
    expect(source == text.size(), "bytes were lost at the end");
    expect(got == wanted.replaced, "another text than the table gives");
}

void check_refusing(std::string_view text, const std::vector<size_t>& cuts,
                    const Expected& wanted) {
    Utf8Gate gate;
    std::string got;
    uint64_t source = 0;
    size_t begin = 0;
    for (const size_t end : cuts) {
        const uint64_t offset = gate.offset();
        const size_t pending = gate.pending();
        try {
            got += take_pieces(gate.append(text.substr(begin, end - begin)), source);
        } catch (const Error& error) {
            expect(error.status() == Status::kUtf8, "a refusal that is not kUtf8");
            expect(wanted.first_invalid && error.offset() == int64_t(*wanted.first_invalid),
                   "a refusal at another offset than the first invalid byte");
            expect(gate.offset() == offset && gate.pending() == pending,
                   "a refused piece was taken in part");
            return;
        }
        expect(!wanted.first_invalid || end <= *wanted.first_invalid + 3, "invalid bytes passed");
        begin = end;
    }
    expect(!wanted.first_invalid, "invalid bytes passed");
    expect(got == text.substr(0, source), "valid text was changed");
    try {
        gate.finish();
        expect(!wanted.unfinished, "an unfinished code point passed");
    } catch (const Error& error) {
        expect(error.status() == Status::kUtf8 && wanted.unfinished &&
                   error.offset() == int64_t(*wanted.unfinished),
               "an unfinished code point is told at another offset");
    }
}

}  // namespace

// Input: number of cuts, the cuts, the text.
void run_utf8_gate(InputBytes in) {
    std::vector<size_t> steps(in.below(8));
    for (size_t& step : steps) step = in.below(24);
    const std::string_view text = in.rest();
    std::vector<size_t> cuts;
    size_t at = 0;
    for (size_t i = 0; at < text.size();) {
        // the steps again and again; without any, or with zeros alone, the rest at once
        const size_t step = i < 64 && !steps.empty() ? steps[i++ % steps.size()] : text.size() - at;
        at = std::min(at + step, text.size());
        cuts.push_back(at);
    }
    const Expected wanted = expected_of(text);
    check_replacing(text, cuts, wanted);
    check_refusing(text, cuts, wanted);
    size_t valid = text.size();
    if (wanted.unfinished) valid = *wanted.unfinished;
    if (wanted.first_invalid) valid = *wanted.first_invalid;
    expect(text::valid_utf8_prefix(text) == valid, "another valid prefix than the table gives");
}

}  // namespace rpt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    rpt::fuzz::run_utf8_gate(rpt::fuzz::InputBytes(data, size));
    return 0;
}
