#include "capi/handle.h"

#include <unistd.h>

namespace rpt::capi {

int64_t process_number() {
    return getpid();
}

void throw_null(const char* name) {
    throw Error(Status::kArgument, "rpt", std::string("parameter \"") + name + "\" is NULL");
}

void throw_forked(const char* name) {
    throw Error(Status::kForked, "rpt",
                std::string("parameter \"") + name +
                    "\" was opened by the parent process; open it again after fork");
}

void throw_in_use(const char* name) {
    throw Error(Status::kBusy, "rpt",
                std::string("parameter \"") + name +
                    "\" is in use by another call; wait for that call to return");
}

}  // namespace rpt::capi
