#include "core/reader/text_query.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace rpt::reader {

std::vector<float> latest_query(const engine::Engine& engine, std::span<const int32_t> tokens,
                                const CallControl& control) {
    RPT_CHECK(!tokens.empty());
    const size_t m = size_t(engine.config().chunk), n = std::min(m, tokens.size());
    const std::span<const int32_t> before = tokens.first(tokens.size() - n);
    control.check();
    std::vector<engine::EncodedChunk> chunks =
        engine.encode_segment(before.last(before.size() < m ? 0 : m), tokens.last(n));
    RPT_CHECK(chunks.size() == 1);
    return std::move(chunks.front().query);
}

}  // namespace rpt::reader
