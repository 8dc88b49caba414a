#include "lab/train/compressed_text.h"

#include "base/error.h"
#include "lab/train/json_lines.h"
#ifdef RPT_HAS_ZSTD
#include <zstd.h>
#endif

namespace rpt::train {

std::string read_compressed(const std::string& path) {
    const auto reader = LineReader::open(path);
    std::string text, line;
    while (reader->next(line)) text.append(line).append("\n");
    return text;
}

#ifdef RPT_HAS_ZSTD
std::string compressed(const std::string& text, const std::string& path) {
    constexpr int kLevel = 19;
    std::string out(ZSTD_compressBound(text.size()), '\0');
    const size_t size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), kLevel);
    if (ZSTD_isError(size)) {
        throw Error(Status::kIo, "zstd",
                    "cannot compress \"" + path + "\": " + ZSTD_getErrorName(size));
    }
    out.resize(size);
    return out;
}
#else
std::string compressed(const std::string&, const std::string& path) {
    throw Error(Status::kUnsupported, "zstd",
                "cannot write \"" + path + "\": this build has no zstd; leave out .zst");
}
#endif

}  // namespace rpt::train
