#include "apps/rpt/line_source.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "apps/rpt/handles.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/waiting.h"

namespace rpt::cli {
namespace {

constexpr size_t kLongestLine = size_t{1} << 20;

class PlainLines final : public LineSource {
  public:
    std::optional<std::string> next(const std::string&) override {
        for (size_t looked = 0;;) {
            const size_t end = waiting_.find('\n', looked);
            if (end != std::string::npos) return take(end, end + 1);
            looked = waiting_.size();
            if (looked > kLongestLine) {
                waiting_.clear();
                too_long_ = true;
                looked = 0;
            }
            if (ended_) {
                if (waiting_.empty() && !too_long_) return std::nullopt;
                return take(waiting_.size(), waiting_.size());
            }
            receive_more();
        }
    }
    void set_history(const std::vector<std::string>&) override {}
    bool person() const override { return false; }

  private:
    std::string take(size_t end, size_t next) {
        std::string line = waiting_.substr(0, end);
        waiting_.erase(0, next);
        if (std::exchange(too_long_, false) || line.size() > kLongestLine)
            throw Failure("stdin: a line has more than 1 MiB; send it in parts", kExitFailed,
                          RPT_ERR_TOO_LARGE);
        if (line.ends_with('\r')) line.pop_back();
        return line;
    }
    void receive_more() {
        std::array<char, 4096> buffer;
        const Received got = receive(STDIN_FILENO, buffer.data(), buffer.size());
        if (got.problem == ECANCELED) fail_stopped("what was said is in the memory");
        if (got.problem != 0)
            throw Failure(std::string("reading stdin: ") + std::strerror(got.problem), kExitFailed,
                          RPT_ERR_IO);
        ended_ = got.size == 0;
        waiting_.append(buffer.data(), got.size);
    }

    std::string waiting_;  // received and not taken yet
    bool ended_ = false;
    bool too_long_ = false;  // the begin of this line was dropped
};

}  // namespace

std::unique_ptr<LineSource> open_lines() {
    if (isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1) return open_edited_lines();
    return std::make_unique<PlainLines>();
}

}  // namespace rpt::cli
