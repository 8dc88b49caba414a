// Owners of the library's handles, and its failures as exceptions of this program.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "include/rpt.h"

namespace rpt::cli {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;

// Ends the command with one line on stderr, and with --json one object on stdout.
class Failure : public std::runtime_error {
  public:
    explicit Failure(const std::string& text, int exit_code = kExitFailed,
                     rpt_status status = RPT_OK)
        : std::runtime_error(text), exit_code_(exit_code), status_(status) {}
    int exit_code() const { return exit_code_; }
    // RPT_OK: found by this program, not by the library.
    rpt_status status() const { return status_; }

  private:
    int exit_code_;
    rpt_status status_;
};

// The same where the result, which was printed, tells of it: a second object on stdout would make
// the first one unreadable.
class ToldFailure : public Failure {
  public:
    explicit ToldFailure(const Failure& failure) : Failure(failure) {}
};

// Calls of the library end in `.check(status)`: Error error; error.check(rpt_x(..., error.out())).
class Error {
  public:
    rpt_error* out() { return &error_; }
    const rpt_error& get() const { return error_; }
    void check(rpt_status status) const {
        if (status < 0) throw failure(status);
    }
    Failure failure(rpt_status status) const;

  private:
    rpt_error error_ = RPT_ERROR_INIT;
};

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* handle) const {
        Free(handle);
    }
};
inline void close_store_quietly(rpt_store* store) {
    rpt_store_close(store, nullptr);
}

using Env = std::unique_ptr<rpt_env, Deleter<rpt_env_close>>;
using Model = std::unique_ptr<rpt_model, Deleter<rpt_model_close>>;
using Store = std::unique_ptr<rpt_store, Deleter<close_store_quietly>>;
using Space = std::unique_ptr<rpt_space, Deleter<rpt_space_close>>;
using Document = std::unique_ptr<rpt_doc, Deleter<rpt_doc_free>>;
using Hits = std::unique_ptr<rpt_hits, Deleter<rpt_hits_free>>;
using Session = std::unique_ptr<rpt_session, Deleter<rpt_session_free>>;

inline std::string_view view(rpt_str text) {
    return {text.data, text.size};
}

}  // namespace rpt::cli
