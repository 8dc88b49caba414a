#include "apps/rpt/text_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "apps/rpt/handles.h"
#include "apps/rpt/interrupt.h"

namespace rpt::cli {
namespace {

// Some files of /proc say that they are empty and are not.
constexpr uint64_t kUnknownSize = 16 << 20;

using Hash = std::unique_ptr<rpt_hash, Deleter<rpt_hash_free>>;

}  // namespace

TextFile::TextFile(const FilePlace& place, const TextForm& form)
    : file_(open_file(place)),
      left_(file_.facts.st_size > 0 ? static_cast<uint64_t>(file_.facts.st_size) : kUnknownSize),
      reader_(form, place.path().filename().string(), TextReader::Source::kFile) {}

bool TextFile::is_missing() const {
    return file_.error == ENOENT || file_.error == ENOTDIR;
}

int64_t TextFile::modified_ms() const {
    return stamp().modified_ns / 1'000'000;
}

bool TextFile::read_bytes() {
    bytes_.resize(std::min<uint64_t>(kPieceBytes, left_));
    for (;;) {
        if (interrupted()) return false;
        const ssize_t got = read(file_.fd.get(), bytes_.data(), bytes_.size());
        if (got >= 0) {
            bytes_.resize(static_cast<size_t>(got));
            left_ -= static_cast<uint64_t>(got);
            return true;
        }
        if (errno == EINTR) continue;
        file_.problem = std::strerror(errno);
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
            file_.problem = reader_.problem();
            is_no_text_ = true;
            return std::nullopt;
        }
    }
    return piece.size();
}

FileLook look_at(const FilePlace& place, const TextForm& form) {
    FileLook look;
    TextFile file(place, form);
    if (!file.is_open()) {
        look.failure = file.problem();
        look.is_missing = file.is_missing();
        return look;
    }
    look.stamp = file.stamp();
    const Hash hash(rpt_hash_new());
    if (!hash) throw std::bad_alloc();
    std::string piece;
    for (;;) {
        const auto got = file.read_piece(piece);
        if (!got && interrupted()) fail_interrupted();
        if (!got) {
            (file.is_no_text() ? look.not_text : look.failure) = file.problem();
            return look;
        }
        if (*got == 0) break;
        rpt_hash_add(hash.get(), piece.data(), piece.size());
    }
    rpt_hash_get(hash.get(), look.hash.data());
    return look;
}

void fail_interrupted() {
    fail_stopped("what was finished is in the memory");
}

}  // namespace rpt::cli
