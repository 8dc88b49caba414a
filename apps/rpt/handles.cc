#include "apps/rpt/handles.h"

#include "apps/rpt/interrupt.h"

namespace rpt::cli {

Failure Error::failure(rpt_status status) const {
    // The library names the call that ended early; a person wants to know why it did.
    if (status == RPT_ERR_CANCELLED && interrupted()) return stop_failure("");
    std::string text = error_.message;
    if (text.empty()) text = rpt_status_name(status);
    return Failure(text, status == RPT_ERR_CANCELLED ? kExitInterrupted : kExitFailed, status);
}

}  // namespace rpt::cli
