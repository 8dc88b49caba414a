#include "apps/rpt/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace rpt::cli {

void hold_standard_streams() {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        // The lowest free number is this one. Reading from it and writing to it answer EBADF, as
        // they would if it were closed.
        int held = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (held < 0) held = open("/", O_RDONLY | O_DIRECTORY);
        if (held != fd) _exit(1);
    }
}

}  // namespace rpt::cli
