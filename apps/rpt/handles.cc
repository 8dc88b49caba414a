#include "apps/rpt/handles.h"

namespace rpt::cli {

void Error::fail(rpt_status status) const {
    std::string text = error_.message;
    if (text.empty()) text = rpt_status_name(status);
    throw Failure(text, status == RPT_ERR_CANCELLED ? kExitInterrupted : kExitFailed, status);
}

}  // namespace rpt::cli
