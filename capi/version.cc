// Version, status names and build facts: callable before anything else, never fail.
#include <cstdio>

#include "include/rpt.h"

// Asked of the linked libraries by their C names, so that no header of theirs enters this room.
extern "C" {
const char* sqlite3_libversion(void);
const char* ZSTD_versionString(void);
}

namespace {

constexpr const char* kStatusNames[] = {"RPT_OK",
                                        "RPT_ERR_INTERNAL",
                                        "RPT_ERR_ARGUMENT",
                                        "RPT_ERR_NO_MEMORY",
                                        "RPT_ERR_IO",
                                        "RPT_ERR_NOT_FOUND",
                                        "RPT_ERR_EXISTS",
                                        "RPT_ERR_BUSY",
                                        "RPT_ERR_CANCELLED",
                                        "RPT_ERR_TIMEOUT",
                                        "RPT_ERR_UNSUPPORTED",
                                        "RPT_ERR_VERSION",
                                        "RPT_ERR_CORRUPT",
                                        "RPT_ERR_MODEL_MISMATCH",
                                        "RPT_ERR_READ_ONLY",
                                        "RPT_ERR_UTF8",
                                        "RPT_ERR_TOO_LARGE",
                                        "RPT_ERR_STATE",
                                        "RPT_ERR_NO_SPACE",
                                        "RPT_ERR_CALLBACK",
                                        "RPT_ERR_FORKED",
                                        "RPT_ERR_DEVICE"};
constexpr int32_t kStatuses = static_cast<int32_t>(sizeof kStatusNames / sizeof *kStatusNames);

// Filled once; a plain array because static objects with destructors would race with workers at
// exit.
char build_info[1024];

const char* make_build_info() {
    std::snprintf(build_info, sizeof build_info,
                  "{\"librpt\":\"%s\",\"libtorch\":\"%s\",\"sqlite\":\"%s\",\"zstd\":\"%s\","
                  "\"compiler\":\"%s\",\"build\":\"%s\",\"sanitizers\":\"%s\",\"cuda\":%s}",
                  rpt_version_string(), RPT_TORCH_VERSION, sqlite3_libversion(),
                  ZSTD_versionString(), RPT_COMPILER, RPT_BUILD_TYPE, RPT_SANITIZERS,
                  RPT_CUDA ? "true" : "false");
    return build_info;
}

}  // namespace

uint32_t rpt_version_number(void) {
    return RPT_VERSION_NUMBER;
}

const char* rpt_version_string(void) {
    return RPT_VERSION_TEXT;
}

const char* rpt_build_info(void) {
    static const char* const text = make_build_info();
    return text;
}

const char* rpt_status_name(rpt_status status) {
    if (status > 0 || status <= -kStatuses) return "RPT_ERR_?";
    return kStatusNames[-status];
}
