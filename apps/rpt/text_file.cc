#include "apps/rpt/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include "apps/rpt/handles.h"
#include "apps/rpt/interrupt.h"

namespace rpt::cli {
namespace {

// Some files of /proc say that they are empty and are not.
constexpr uint64_t kUnknownSize = 16 << 20;

using Hash = std::unique_ptr<rpt_hash, Deleter<rpt_hash_free>>;

// Does not wait for the other end of a pipe, nor becomes the owner of a terminal.
int open_at_once(const std::filesystem::path& path) {
    return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

}  // namespace

TextFile::TextFile(const std::filesystem::path& path, const TextForm& form)
    : fd_(open_at_once(path)),
      reader_(form, path.filename().string(), TextReader::Source::kFile) {
    struct stat facts {};
    if (fd_ < 0 || fstat(fd_, &facts) != 0) {
        problem_ = std::strerror(errno);
    } else if (!S_ISREG(facts.st_mode)) {
        problem_ = S_ISDIR(facts.st_mode) ? "a directory" : "not a regular file";
    }
    if (problem_.empty()) {
        left_ = facts.st_size > 0 ? static_cast<uint64_t>(facts.st_size) : kUnknownSize;
    } else if (fd_ >= 0) {
        close(fd_);
        fd_ = -1;
    }
}

TextFile::~TextFile() {
    if (fd_ >= 0) close(fd_);
}

bool TextFile::read_bytes() {
    bytes_.resize(std::min<uint64_t>(kPieceBytes, left_));
    for (;;) {
        if (interrupted()) return false;
        const ssize_t got = read(fd_, bytes_.data(), bytes_.size());
        if (got >= 0) {
            bytes_.resize(static_cast<size_t>(got));
            left_ -= static_cast<uint64_t>(got);
            return true;
        }
        if (errno == EINTR) continue;
        problem_ = std::strerror(errno);
        return false;
    }
}

std::optional<size_t> TextFile::read_piece(std::string& piece) {
    piece.clear();
    while (piece.empty() && !ended_) {
        if (!read_bytes()) return std::nullopt;
        ended_ = bytes_.empty();
        const bool good = ended_ ? reader_.finish(piece) : reader_.feed(bytes_, piece);
        if (!good) {
            problem_ = reader_.problem();
            return std::nullopt;
        }
    }
    return piece.size();
}

FileLook look_at(const std::filesystem::path& path, const TextForm& form) {
    FileLook look;
    TextFile file(path, form);
    if (!file.is_open()) {
        look.not_text = file.problem();
        return look;
    }
    const Hash hash(rpt_hash_new());
    if (!hash) throw std::bad_alloc();
    std::string piece;
    for (;;) {
        const auto got = file.read_piece(piece);
        if (!got && interrupted()) fail_interrupted();
        if (!got) {
            look.not_text = file.problem();
            return look;
        }
        if (*got == 0) break;
        rpt_hash_add(hash.get(), piece.data(), piece.size());
    }
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
    fail_stopped("what was finished is in the memory");
}

}  // namespace rpt::cli
