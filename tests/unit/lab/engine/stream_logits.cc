// stream_logits MODEL IDS OUT PIECE: feeds the int32 ids of a file to a stream, PIECE tokens at a
// time or as many as a block has room for, and writes the logits of every token as fp32 rows.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include "core/engine/engine_factory.h"

namespace rpt::engine {
namespace {

std::vector<int32_t> read_ids(const char* path) {
    std::ifstream in(path, std::ios::binary);
    std::vector<int32_t> ids;
    for (int32_t id; in.read(reinterpret_cast<char*>(&id), sizeof id);) ids.push_back(id);
    return ids;
}

void write_logits(Stream& stream, std::span<const int32_t> ids, size_t piece, std::ostream& out) {
    while (!ids.empty()) {
        const size_t n = std::min({piece, stream.room(), ids.size()});
        for (const EncodedChunk& chunk : stream.advance_lower(ids.first(n)))
            stream.set_neighbours(chunk.index, {});
        stream.advance_upper_rows([&](size_t, std::span<const float> logits) {
            out.write(reinterpret_cast<const char*>(logits.data()),
                      static_cast<std::streamsize>(logits.size_bytes()));
        });
        ids = ids.subspan(n);
    }
}

}  // namespace
}  // namespace rpt::engine

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    try {
        rpt::engine::EngineOptions options;
        options.device = rpt::engine::Device::kCpu;
        const auto engine = rpt::engine::open_engine(argv[1], options);
        const auto stream = engine->new_stream();
        std::ofstream out(argv[3], std::ios::binary);
        rpt::engine::write_logits(*stream, rpt::engine::read_ids(argv[2]), std::stoul(argv[4]),
                                  out);
        return out.flush() ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
