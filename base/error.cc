#include "base/error.h"

namespace rpt {

void fail_check(const char* file, int line, const char* condition) {
    std::string_view path(file);
    if (const size_t slash = path.rfind('/'); slash != std::string_view::npos) path.remove_prefix(slash + 1);
    throw Error(Status::kInternal, "rpt",
                std::string(path) + ":" + std::to_string(line) + ": expected " + condition + "; please report this");
}

}  // namespace rpt
