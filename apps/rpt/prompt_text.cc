#include "apps/rpt/prompt_text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "apps/rpt/handles.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/text_reader.h"
#include "apps/rpt/waiting.h"

namespace rpt::cli {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 30;  // a stream may have no end
constexpr size_t kPieceBytes = 1 << 16;

class Input {
  public:
    explicit Input(const std::string& path)
        : name_(path == "-" ? "stdin" : "\"" + path + "\""),
          fd_(path == "-" ? STDIN_FILENO : open_file(path)) {}
    ~Input() {
        if (fd_ > STDIN_FILENO) close(fd_);
    }
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;

    std::string read(TextReader& reader) {
        std::string text, piece;
        for (uint64_t left = size_at_start(); left > 0;) {
            piece.resize(std::min<uint64_t>(kPieceBytes, left));
            const Received got = receive(fd_, piece.data(), piece.size());
            if (got.problem == ECANCELED) fail_stopped("");
            if (got.problem != 0) fail(std::strerror(got.problem));
            if (got.size == 0) break;
            left -= got.size;
            if (!reader.feed({piece.data(), got.size}, text)) fail(reader.problem());
            if (text.size() > kMaxBytes) fail("longer than a text to read at once can be");
        }
        if (!reader.finish(text)) fail(reader.problem());
        return text;
    }

  private:
    [[noreturn]] void fail(const std::string& reason) const {
        throw Failure(name_ + ": " + reason, kExitFailed, RPT_ERR_IO);
    }

    // A named pipe without a writer makes this wait.
    int open_file(const std::string& path) const {
        for (;;) {
            const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
            if (fd >= 0) return fd;
            if (interrupted()) fail_stopped("");
            if (errno != EINTR) fail(std::strerror(errno));
        }
    }

    uint64_t size_at_start() const {
        struct stat facts {};
        const bool is_file = fstat(fd_, &facts) == 0 && S_ISREG(facts.st_mode);
        return is_file && facts.st_size > 0 ? static_cast<uint64_t>(facts.st_size) : kMaxBytes + 1;
    }

    const std::string name_;
    const int fd_;
};

}  // namespace

std::string read_whole_text(const std::string& path) {
    TextForm form;
    form.html_source = true;  // what is before the cursor of somebody who writes HTML
    TextReader reader(form, path, TextReader::Source::kPrompt);
    return Input(path).read(reader);
}

}  // namespace rpt::cli
