#include "apps/rpt/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include "apps/rpt/handles.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/utf8_scan.h"

namespace rpt::cli {
namespace {

constexpr size_t kProbeBytes = 8192;  // a NUL byte in so much makes a file binary, as for git

using Hash = std::unique_ptr<rpt_hash, Deleter<rpt_hash_free>>;

}  // namespace

TextFile::TextFile(const std::filesystem::path& path)
    : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) error_ = errno;
}

TextFile::~TextFile() {
    if (fd_ >= 0) close(fd_);
}

std::string TextFile::problem() const {
    return std::strerror(error_);
}

std::optional<size_t> TextFile::read_piece(std::string& piece) {
    for (;;) {
        if (interrupted()) return std::nullopt;
        const ssize_t got = read(fd_, piece.data(), piece.size());
        if (got >= 0) return static_cast<size_t>(got);
        error_ = errno;
        if (error_ != EINTR) return std::nullopt;
    }
}

FileLook look_at(const std::filesystem::path& path) {
    FileLook look;
    TextFile file(path);
    if (!file.is_open()) {
        look.not_text = file.problem();
        return look;
    }
    const Hash hash(rpt_hash_new());
    if (!hash) throw std::bad_alloc();
    std::string piece(kPieceBytes, '\0');
    Utf8Scan scan;
    const auto invalid = [&](uint64_t at) {
        look.not_text = "not UTF-8 at byte " + std::to_string(at);
        return look;
    };
    for (uint64_t at = 0;;) {
        const auto got = file.read_piece(piece);
        if (!got && interrupted()) fail_interrupted();
        if (!got) {
            look.not_text = file.problem();
            return look;
        }
        if (*got == 0) break;
        const std::string_view view(piece.data(), *got);
        if (at < kProbeBytes &&
            view.substr(0, kProbeBytes - at).find('\0') != std::string_view::npos) {
            look.not_text = "binary";
            return look;
        }
        if (const auto bad = scan.feed(view)) return invalid(*bad);
        rpt_hash_add(hash.get(), view.data(), view.size());
        at += *got;
    }
    if (const auto bad = scan.finish()) return invalid(*bad);
    rpt_hash_get(hash.get(), look.hash.data());
    return look;
}

int64_t modified_ms(const std::filesystem::path& path) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(path, error);
    if (error) return 0;
    const auto system = std::chrono::file_clock::to_sys(time);
    return std::chrono::duration_cast<std::chrono::milliseconds>(system.time_since_epoch()).count();
}

void fail_interrupted() {
    throw Failure("interrupted; what was finished is in the memory", kExitInterrupted,
                  RPT_ERR_CANCELLED);
}

}  // namespace rpt::cli
