#include "core/reader/text_query.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace rpt::reader {

std::vector<float> recent_query(const engine::Engine& engine, std::span<const int32_t> tokens,
                                size_t n, const CallControl& control) {
    const size_t m = size_t(engine.config().chunk), last = std::min(n, tokens.size());
    RPT_CHECK(last > 0 && last <= m);
    const std::span<const int32_t> before = tokens.first(tokens.size() - last);
    control.check();
    std::vector<engine::EncodedChunk> chunks =
        engine.encode_segment(before.last(before.size() < m ? 0 : m), tokens.last(last));
    RPT_CHECK(chunks.size() == 1);
    return std::move(chunks.front().query);
}

}  // namespace rpt::reader
