#include "core/reader/text_query.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace rpt::reader {

namespace {

constexpr size_t kFewest = 4;  // tokens of a question

}  // namespace

std::vector<float> recent_query(const engine::Engine& engine, std::span<const int32_t> tokens,
                                size_t n, const CallControl& control) {
    const size_t m = size_t(engine.config().chunk), last = std::min(n, tokens.size());
    RPT_CHECK(last > 0 && last <= m);
    std::span<const int32_t> before = tokens.first(tokens.size() - last);
    before = before.last(last < m || before.size() < m ? 0 : m);
    control.check();
    std::vector<engine::EncodedChunk> chunks = engine.encode_segment(before, tokens.last(last));
    RPT_CHECK(chunks.size() == 1);
    return std::move(chunks.front().query);
}

size_t question_tokens(const model::ModelConfig& config, const Sequence& sequence) {
    const std::string_view text = sequence.text;
    const auto m = static_cast<size_t>(config.chunk), size = sequence.size();
    size_t n = 1;
    for (; n < size && n <= m / 4; ++n) {
        const ByteSpan before = sequence.bytes(size - n - 1, size - n);
        const bool ends_line =
            text.substr(before.begin, before.end - before.begin).find('\n') != text.npos;
        if (n >= kFewest && ends_line) break;
    }
    return n <= m / 4 ? n : (m + 7) / 8;
}

}  // namespace rpt::reader
