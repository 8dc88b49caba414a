// The one exception of the library: what a caller can see and act upon.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rpt {

// Kinds of failure. The values are those of RPT_ERR_* in include/rpt.h: exported, never renumber.
enum class Status : int32_t {
    kOk = 0,
    kInternal = -1,
    kArgument = -2,
    kNoMemory = -3,
    kIo = -4,
    kNotFound = -5,
    kExists = -6,
    kBusy = -7,
    kCancelled = -8,
    kTimeout = -9,
    kUnsupported = -10,
    kVersion = -11,
    kCorrupt = -12,
    kModelMismatch = -13,
    kReadOnly = -14,
    kUtf8 = -15,
    kTooLarge = -16,
    kState = -17,
    kNoSpace = -18,
    kCallback = -19,
    kForked = -20,
    kDevice = -21,
};

// Thrown for everything that data, arguments or the machine can cause. `what()` is one line, lower
// case, no full stop: what failed, on what, why, what to try. Never holds user text in full.
class Error : public std::runtime_error {
  public:
    Error(Status status, std::string_view domain, const std::string& text, int64_t offset = -1,
          int32_t os_error = 0)
        : std::runtime_error(text),
          status_(status),
          domain_(domain),
          offset_(offset),
          os_error_(os_error) {}

    Status status() const { return status_; }
    // Which subsystem: "rpt", "sqlite", "torch", "zstd", "os".
    const std::string& domain() const { return domain_; }
    // Byte of the input at fault, or -1.
    int64_t offset() const { return offset_; }
    // errno, or 0.
    int32_t os_error() const { return os_error_; }

  private:
    Status status_;
    std::string domain_;
    int64_t offset_;
    int32_t os_error_;
};

[[noreturn]] void fail_check(const char* file, int line, const char* condition);

// A broken promise of our own code: throws kInternal with file and line, never aborts.
#define RPT_CHECK(condition) \
    ((condition) ? void(0) : ::rpt::fail_check(__FILE__, __LINE__, #condition))

}  // namespace rpt
