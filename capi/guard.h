// The wall between C and C++: the only place where exceptions become statuses.
#pragma once

#include <cxxabi.h>

#include <exception>
#include <new>

#include "base/error.h"
#include "include/rpt.h"

namespace rpt::capi {

// False for a record that must not be touched: struct_size under 48 or over 65536.
bool error_record_usable(const rpt_error* err);

rpt_status report(rpt_error* err, const Error& failure);
rpt_status report_no_memory(rpt_error* err);
// What third parties throw; the domain is told from the type.
rpt_status report(rpt_error* err, const std::exception& failure);
rpt_status report_unknown(rpt_error* err);

// Runs one entry point. No noexcept here nor on the entry points: a forced unwind (pthread_exit in
// a callback, a cancelled thread) must pass, or glibc ends the process.
template <class Body>
rpt_status guard(rpt_error* err, Body&& body) {
    if (!error_record_usable(err)) return RPT_ERR_ARGUMENT;
    try {
        body();
        return RPT_OK;
    } catch (const Error& failure) {
        return report(err, failure);
    } catch (const std::bad_alloc&) {
        return report_no_memory(err);
    } catch (const std::exception& failure) {
        return report(err, failure);
    } catch (abi::__forced_unwind&) {
        throw;
    } catch (...) {
        return report_unknown(err);
    }
}

}  // namespace rpt::capi
