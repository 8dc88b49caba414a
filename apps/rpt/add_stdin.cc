#include "apps/rpt/add_stdin.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "apps/rpt/interrupt.h"
#include "apps/rpt/text_file.h"

namespace rpt::cli {
namespace {

constexpr auto kFlushPause =
    std::chrono::seconds(1);  // how long what arrived may stay unsearchable

// Left behind by an interrupted run: no document to protect.
bool is_unfinished(rpt_space* space, const std::string& key) {
    rpt_doc_info info = {};
    info.struct_size = sizeof(info);
    Error error;
    const rpt_status status = rpt_doc_stat(space, key.c_str(), &info, error.out());
    if (status == RPT_ERR_NOT_FOUND) return false;
    error.check(status);
    return (info.flags & RPT_DOC_FINISHED) == 0;
}

// Makes what arrived searchable; a replacement stays out of sight until it is whole.
class Keeper {
  public:
    explicit Keeper(rpt_doc* document) : document_(document) {}
    void took() { dirty_ = true; }
    // Milliseconds that a wait for more may last before flush() is due; -1: for ever.
    int patience_ms() const {
        if (!dirty_) return -1;
        const auto left = flushed_ + pause_ - std::chrono::steady_clock::now();
        return static_cast<int>(std::max<int64_t>(
            0, std::chrono::duration_cast<std::chrono::milliseconds>(left).count()));
    }
    // Without a cancel token: the work is one segment of tokens and one transaction, and on Ctrl-C
    // it is what keeps everything that was read. Flushes take a tenth of the time at most, also
    // where the processor is busy with other work.
    void flush() {
        const auto start = std::chrono::steady_clock::now();
        Error error;
        error.check(rpt_doc_flush(document_, RPT_FLUSH_TAIL, nullptr, nullptr, error.out()));
        flushed_ = std::chrono::steady_clock::now();
        pause_ =
            std::max<std::chrono::steady_clock::duration>(kFlushPause, 10 * (flushed_ - start));
        dirty_ = false;
    }

  private:
    rpt_doc* document_;
    std::chrono::steady_clock::time_point flushed_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::duration pause_ = kFlushPause;
    bool dirty_ = false;
};

}  // namespace

Document begin_document(rpt_space* space, const std::string& key, const std::string& uri,
                        int64_t timestamp_ms, bool replace) {
    rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
    options.flags = replace ? RPT_DOC_REPLACE : 0u;
    options.key = key.c_str();
    options.uri = uri.empty() ? nullptr : uri.c_str();
    options.timestamp_ms = timestamp_ms;
    rpt_doc* opened = nullptr;
    Error error;
    error.check(rpt_doc_begin(space, &options, &opened, error.out()));
    return Document(opened);
}

rpt_doc_info finish_document(const Settings& settings, const Document& document) {
    rpt_doc_info info = {};
    info.struct_size = sizeof(info);
    Call call(settings);
    Error error;
    error.check(rpt_doc_finish(document.get(), call.get(), &info, error.out()));
    return info;
}

rpt_doc_info add_stdin(const Settings& settings, rpt_space* space, const std::string& key,
                       bool replace, Progress& progress) {
    replace = replace || is_unfinished(space, key);
    const Document document = begin_document(space, key, "", 0, replace);
    Keeper keeper(document.get());
    std::string piece(kPieceBytes, '\0');
    while (!interrupted()) {
        pollfd waiting = {STDIN_FILENO, POLLIN, 0};
        const int ready = poll(&waiting, 1, keeper.patience_ms());
        if (ready == 0) keeper.flush();
        if (ready <= 0) continue;  // interrupted, or asked too early
        const ssize_t got = read(STDIN_FILENO, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw Failure(std::string("stdin: ") + std::strerror(errno));
        if (got == 0) return finish_document(settings, document);
        Call call(settings);
        Error error;
        const rpt_status status = rpt_doc_append(document.get(), piece.data(),
                                                 static_cast<size_t>(got), call.get(), error.out());
        if (status == RPT_ERR_CANCELLED) break;
        error.check(status);
        keeper.took();
        if (keeper.patience_ms() == 0) keeper.flush();
        progress.add(static_cast<uint64_t>(got));
    }
    keeper.flush();
    throw Failure(replace
                      ? "interrupted; the document \"" + key + "\" stays as it was"
                      : "interrupted; the first " + std::to_string(rpt_doc_offset(document.get())) +
                            " bytes of stdin are in the memory",
                  kExitInterrupted, RPT_ERR_CANCELLED);
}

}  // namespace rpt::cli
