// Waits that a signal or the end of --timeout ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace rpt::cli {

enum class Ready { kYes, kTime, kStop };

// Waits until `events` of poll(2) hold for `fd`, or `timeout_ms` (-1: for ever) have passed, or the
// program should end. `fd` -1 is never ready.
Ready wait_until_ready(int fd, short events, int timeout_ms);

struct Received {
    size_t size = 0;  // 0: the end
    int problem = 0;  // an errno; ECANCELED if the program should end
};
// Reads what is there, and waits for it also where the stream is in non-blocking mode.
Received receive(int fd, char* buffer, size_t size);
// Writes all of `bytes`, in any mode of the stream. Returns 0 or an errno. When the program should
// end it writes what the reader takes within a second: a result that was cut short is still one.
int write_all(int fd, std::string_view bytes);

}  // namespace rpt::cli
