#include "capi/guard.h"

#include <cstddef>
#include <cstring>
#include <string_view>
#include <system_error>
#include <typeinfo>

namespace rpt::capi {

namespace {

constexpr uint32_t kSmallestError = 48;  // holds everything up to the domain
constexpr uint32_t kLargestError = 65536;

// Never cuts a code point; control characters (torch writes several lines) become blanks. No
// allocation: this also reports that memory is out.
bool copy_text(char* to, size_t capacity, std::string_view text) {
    if (capacity == 0) return !text.empty();
    size_t size = text.size() < capacity ? text.size() : capacity - 1;
    const bool cut = size < text.size();
    if (cut) {
        while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
    }
    for (size_t i = 0; i < size; ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        to[i] = c < 0x20 || c == 0x7f ? ' ' : text[i];
    }
    to[size] = '\0';
    return cut;
}

bool may_succeed_later(rpt_status status) {
    return status == RPT_ERR_BUSY || status == RPT_ERR_TIMEOUT || status == RPT_ERR_NO_MEMORY ||
           status == RPT_ERR_NO_SPACE;
}

rpt_status fill(rpt_error* err, rpt_status status, std::string_view domain, std::string_view text,
                int64_t offset, int32_t os_error) {
    if (!err) return status;
    const uint32_t size = err->struct_size;
    rpt_error full{};
    full.struct_size = size;
    full.status = status;
    full.os_error = os_error;
    full.flags = may_succeed_later(status) ? RPT_ERROR_RETRYABLE : 0u;
    full.offset = offset;
    copy_text(full.domain, sizeof full.domain, domain);
    const size_t known = size < sizeof full ? size : sizeof full;
    if (copy_text(full.message, known - offsetof(rpt_error, message), text)) {
        full.flags |= RPT_ERROR_TRUNCATED;
    }
    std::memcpy(err, &full, known);
    if (size > known) std::memset(reinterpret_cast<char*>(err) + known, 0, size - known);
    return status;
}

}  // namespace

bool error_record_usable(const rpt_error* err) {
    return !err || (err->struct_size >= kSmallestError && err->struct_size <= kLargestError);
}

rpt_status report(rpt_error* err, const Error& failure) {
    return fill(err, static_cast<rpt_status>(failure.status()), failure.domain(), failure.what(),
                failure.offset(), failure.os_error());
}

rpt_status report_no_memory(rpt_error* err) {
    return fill(err, RPT_ERR_NO_MEMORY, "rpt", "memory is out; close something or ask for less", -1,
                0);
}

rpt_status report(rpt_error* err, const std::exception& failure) {
    if (const auto* system = dynamic_cast<const std::system_error*>(&failure)) {
        return fill(err, RPT_ERR_IO, "os", failure.what(), -1, system->code().value());
    }
    const std::string_view type = typeid(failure).name();  // mangled: N3c10...
    const std::string_view text = failure.what();
    if (type.find("3c10") != type.npos) {
        const bool memory =
            text.find("alloc") != text.npos || type.find("OutOfMemory") != type.npos;
        return fill(err, memory ? RPT_ERR_NO_MEMORY : RPT_ERR_INTERNAL, "torch", text, -1, 0);
    }
    return fill(err, RPT_ERR_INTERNAL, "rpt", text, -1, 0);
}

rpt_status report_unknown(rpt_error* err) {
    return fill(err, RPT_ERR_INTERNAL, "rpt", "an exception of unknown type", -1, 0);
}

}  // namespace rpt::capi
