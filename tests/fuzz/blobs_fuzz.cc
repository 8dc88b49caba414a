// Target blobs: states, pointer keys, tokens and texts as a store keeps them are refused, or what
// comes out of them goes in again.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/codec/blob_codec.h"
#include "storage/codec/pointer_codec.h"
#include "storage/codec/state_codec.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/input_bytes.h"

namespace rpt::fuzz {
namespace {

using namespace storage;

bool same(const std::vector<float>& a, const std::vector<float>& b) {
    for (size_t i = 0; i < a.size() && i < b.size(); ++i)
        if (!(a[i] == b[i])) return false;
    return a.size() == b.size();
}

void check_states(InputBytes in) {
    const uint32_t dim = uint32_t(in.below(300)) + 1, most = uint32_t(in.below(80));
    const std::string_view blob = in.rest();
    std::vector<float> states;
    if (!accepts([&] { states = decode_states(blob, dim, most); })) return;
    expect(states.size() % dim == 0 && states.size() <= size_t(dim) * most,
           "states of another size than was asked for");
    for (const float value : states) expect(std::isfinite(value), "a state is not finite");
    if (states.empty()) return;
    for (const StateCodec codec :
         {StateCodec::kFp16, StateCodec::kInt8, StateCodec::kInt4, StateCodec::kLowRank}) {
        std::string bytes;
        // too large for a codec is a legal answer
        if (!accepts([&] { bytes = encode_states(states, dim, codec, 0); })) continue;
        const std::vector<float> once = decode_states(bytes, dim, most);
        expect(once.size() == states.size(), "states that were written cannot be read");
        expect(decode_states(bytes, dim, most ? most - 1 : 0).size() < states.size() ||
                   states.size() / dim < most,
               "more tokens than were allowed");
        if (codec != StateCodec::kFp16 && codec != StateCodec::kInt8) continue;
        expect(same(decode_states(encode_states(once, dim, codec, 0), dim, most), once),
               "decoding and encoding again changes a value");
    }
}

// The input as numbers, whatever they are, so that every codec sees odd ones.
void check_numbers(InputBytes in) {
    const uint32_t dim = uint32_t(in.below(40)) + 1, rank = uint32_t(in.below(20));
    const std::string_view bytes = in.rest();
    std::vector<float> states(std::min<size_t>(bytes.size() / 4 / dim, 64) * dim);
    if (!states.empty()) std::memcpy(states.data(), bytes.data(), states.size() * 4);
    for (const StateCodec codec :
         {StateCodec::kFp16, StateCodec::kInt8, StateCodec::kInt4, StateCodec::kLowRank}) {
        std::string blob;
        if (!accepts([&] { blob = encode_states(states, dim, codec, 1, rank); })) continue;
        const std::vector<float> back = decode_states(blob, dim, 64);
        expect(back.size() == states.size(), "states that were accepted cannot be read");
    }
    std::string key;
    if (accepts([&] { key = encode_key(states); }))
        expect(key.size() == states.size() * 2, "a key of another size");
}

void check_tokens(InputBytes in) {
    const std::optional<std::vector<int32_t>> tokens = decode_tokens(in.rest());
    if (!tokens) return;
    expect(decode_tokens(encode_tokens(*tokens)) == tokens, "tokens changed in writing");
}

void check_pointers(InputBytes in) {
    const uint32_t width = uint32_t(in.below(200)) + 1;
    const size_t n = in.below(80);
    const std::string_view blob = in.rest();
    PointerRows rows;
    bool whole = false;
    if (accepts([&] { whole = unpack_pointers(blob, n, width, rows); }) && whole) {
        const std::vector<float> values = expand_pointers(rows, width);
        expect(same(values, plain::decode_pointers(blob, n, width)), "unlike the slow twin");
        for (const float value : values) expect(std::isfinite(value), "a number is not finite");
    }
    // The input as numbers.
    std::vector<float> values(std::min<size_t>(blob.size() / 4 / width, 64) * width);
    if (!values.empty()) std::memcpy(values.data(), blob.data(), values.size() * 4);
    std::string written;
    if (!accepts([&] { written = encode_pointers(values, width); })) return;
    expect(unpack_pointers(written, values.size() / width, width, rows),
           "pointer keys that were written cannot be read");
}

void check_text(InputBytes in) {
    const std::string_view blob = in.rest();
    const std::optional<std::string> text = decode_text(blob);
    expect(decode_text(encode_text(blob, 0)) == std::string(blob), "a text changed in writing");
    if (!text) return;
    expect(text->size() <= kMaxTextBytes, "a text longer than any segment's");
    expect(decode_text(encode_text(*text, 0)) == text, "a text changed in writing");
}

}  // namespace

void run_blobs(InputBytes in) {
    switch (in.below(5)) {
        case 0:
            return check_states(in);
        case 1:
            return check_numbers(in);
        case 2:
            return check_tokens(in);
        case 4:
            return check_pointers(in);
        default:
            return check_text(in);
    }
}

}  // namespace rpt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    rpt::fuzz::run_blobs(rpt::fuzz::InputBytes(data, size));
    return 0;
}
