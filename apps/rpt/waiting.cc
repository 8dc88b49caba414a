#include "apps/rpt/waiting.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>

#include "apps/rpt/interrupt.h"

namespace rpt::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLastMs = 1000;  // for the reader of a program that should end

int left_ms(Clock::time_point end) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    return static_cast<int>(std::clamp<int64_t>(left.count(), 0, INT_MAX));
}

// A write of at most so many bytes to a stream that is ready does not wait.
size_t bytes_at_once(int fd) {
    struct stat facts {};
    const bool is_file = fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
    return is_file ? size_t{1} << 20 : size_t{PIPE_BUF};
}

bool may_be_tried_again(int problem) {
    return problem == EAGAIN || problem == EWOULDBLOCK || problem == EINTR;
}

}  // namespace

Ready wait_until_ready(int fd, short events, int timeout_ms) {
    const auto end = Clock::now() + std::chrono::milliseconds(std::max(0, timeout_ms));
    for (;;) {
        std::array<pollfd, 2> waiting = {{{fd, events, 0}, {stop_fd(), POLLIN, 0}}};
        const int ready = poll(waiting.data(), waiting.size(), timeout_ms < 0 ? -1 : left_ms(end));
        if (interrupted()) return Ready::kStop;
        if (ready > 0 && waiting[0].revents != 0) return Ready::kYes;
        if (ready < 0 && !may_be_tried_again(errno)) return Ready::kYes;  // the call will tell
        if (timeout_ms >= 0 && left_ms(end) == 0) return Ready::kTime;
    }
}

Received receive(int fd, char* buffer, size_t size) {
    for (;;) {
        if (wait_until_ready(fd, POLLIN, -1) == Ready::kStop) return {0, ECANCELED};
        const ssize_t got = read(fd, buffer, size);
        if (got >= 0) return {static_cast<size_t>(got), 0};
        if (!may_be_tried_again(errno)) return {0, errno};
    }
}

int write_all(int fd, std::string_view bytes) {
    const size_t at_once = bytes_at_once(fd);
    std::optional<Clock::time_point> last;
    while (!bytes.empty()) {
        if (wait_until_ready(fd, POLLOUT, -1) == Ready::kStop) {
            if (!last) last = Clock::now() + std::chrono::milliseconds(kLastMs);
            pollfd waiting = {fd, POLLOUT, 0};
            const int ready = poll(&waiting, 1, left_ms(*last));
            if (ready == 0 || (ready < 0 && left_ms(*last) == 0)) return ECANCELED;
            if (ready < 0) continue;
        }
        const ssize_t written = write(fd, bytes.data(), std::min(bytes.size(), at_once));
        if (written >= 0) {
            bytes.remove_prefix(static_cast<size_t>(written));
        } else if (!may_be_tried_again(errno)) {
            return errno;
        }
    }
    return 0;
}

}  // namespace rpt::cli
