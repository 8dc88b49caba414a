// What a fuzz target calls a fault.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "base/error.h"

namespace rpt::fuzz {

// Ends the process: libFuzzer then keeps the input, and the replay has named its file.
[[noreturn]] inline void report(const char* what, const char* detail = "") {
    std::fprintf(stderr, "fuzz: %s%s%s\n", what, *detail ? ": " : "", detail);
    std::abort();
}

inline void expect(bool holds, const char* what) {
    if (!holds) report(what);
}

// True if `work` came through, false if it refused its input with an Error that data may cause.
// Whatever else it throws is a fault: no caller expects it.
template <typename Work>
bool accepts(Work&& work) {
    try {
        work();
        return true;
    } catch (const Error& error) {
        if (error.status() == Status::kInternal)
            report("a check of our own code failed", error.what());
        expect(error.what()[0] != '\0', "an error says nothing");
        return false;
    } catch (const std::exception& other) {
        report("an exception that is no rpt::Error", other.what());
    }
}

}  // namespace rpt::fuzz
