#include "base/input_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace rpt {

InputFile::InputFile(const std::string& path) : path_(path), file_(path, O_RDONLY) {}

void InputFile::read(uint64_t offset, std::span<std::byte> out) const {
    constexpr size_t kMost = size_t{1} << 30;  // the system reads no more than 2 GiB at once
    while (!out.empty()) {
        const ssize_t n = ::pread(file_.fd(), out.data(), std::min(out.size(), kMost),
                                  static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail_file("read", path_, errno);
        if (n == 0)
            throw Error(Status::kCorrupt, "rpt",
                        "\"" + path_ + "\" ends at byte " + std::to_string(offset) +
                            "; when it was opened it had " + std::to_string(size()));
        out = out.subspan(static_cast<size_t>(n));
        offset += static_cast<uint64_t>(n);
    }
}

}  // namespace rpt
