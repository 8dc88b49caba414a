#include "apps/rpt/generated_text.h"

#include <string>

#include "apps/rpt/output.h"
#include "include/rpt.h"

namespace rpt::cli {

bool write_generated(std::string_view text, bool on_terminal) {
    print(on_terminal ? printable(text) : std::string(text));
    flush_output();
    return !reader_left();
}

const char* finish_name(int32_t finish) {
    switch (finish) {
        case RPT_FINISH_STOP:
            return "stop";
        case RPT_FINISH_EOS:
            return "eos";
        case RPT_FINISH_LENGTH:
            return "length";
        case RPT_FINISH_HOST:
            return "host";
        default:
            return "none";
    }
}

}  // namespace rpt::cli
