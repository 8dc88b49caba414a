#include "core/reader/text_query.h"

#include <algorithm>
#include <memory>
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
    std::unique_ptr<engine::DocumentEncoder> encoder = engine.new_document();
    std::vector<engine::EncodedChunk> chunks;
    for (size_t b = block < 2 ? 0 : block - 2; b <= block; ++b) {
        control.check();
        chunks =
            encoder->encode_block(tokens.subspan(b * stride, std::min(stride, end - b * stride)));
    }
    RPT_CHECK(!chunks.empty());
    return std::move(chunks.back().query);
}

}  // namespace rpt::reader
