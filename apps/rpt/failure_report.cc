#include "apps/rpt/failure_report.h"

#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "apps/rpt/handles.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/output.h"

namespace rpt::cli {
namespace {

// "BUSY" of RPT_ERR_BUSY, as docs/errors.md lists them.
std::string code_of(const Failure& failure) {
    if (failure.exit_code() == kExitUsage) return "USAGE";
    if (failure.status() == RPT_OK) return "FAILED";
    std::string name = rpt_status_name(failure.status());
    constexpr std::string_view kStart = "RPT_ERR_";
    return name.starts_with(kStart) ? name.substr(kStart.size()) : name;
}

std::string one_line(std::string_view text) {
    std::string line = printable(text);
    for (char& c : line) {
        if (c == '\n') c = ' ';
    }
    while (line.ends_with(' ')) line.pop_back();
    return line;
}

int tell(bool json, const Failure& failure, bool told) {
    const std::string line = one_line(failure.what());
    try {
        flush_output();
        if (json && !told) print_json({{"error", {{"code", code_of(failure)}, {"message", line}}}});
    } catch (const Failure&) {  // nobody takes it there: stderr has it
    }
    complain("rpt: " + line + "\n");
    return failure.exit_code();
}

}  // namespace

int report_failures(bool json, const std::function<int()>& command) {
    try {
        return command();
    } catch (const ToldFailure& failure) {
        return tell(json, failure, true);
    } catch (const Failure& failure) {
        return tell(json, failure, false);
    } catch (const std::bad_alloc&) {
        return tell(json, Failure("out of memory", kExitFailed, RPT_ERR_NO_MEMORY), false);
    } catch (const std::exception& problem) {
        return tell(json, Failure(problem.what()), false);
    }
}

}  // namespace rpt::cli
