#include "core/reader/text_query.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace rpt::reader {

std::vector<float> chunk_query(const engine::Engine& engine, std::span<const int32_t> tokens,
                               const CallControl& control) {
    RPT_CHECK(!tokens.empty());
    const size_t m = size_t(engine.config().chunk), stride = size_t(engine.config().stride);
    const size_t n_whole = tokens.size() / m;
    const size_t end = n_whole == 0 ? tokens.size() : n_whole * m;
    const size_t block = (end - 1) / stride;
    const size_t begin = (block < 2 ? 0 : block - 2) * stride;
    control.check();
    std::vector<engine::EncodedChunk> chunks =
        engine.encode_segment({}, tokens.subspan(begin, end - begin));
    RPT_CHECK(!chunks.empty());
    return std::move(chunks.back().query);
}

}  // namespace rpt::reader
