#include "apps/rpt/add_stdin.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "apps/rpt/interrupt.h"
#include "apps/rpt/text_file.h"
#include "apps/rpt/waiting.h"

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

// The end of a stream before its end.
[[noreturn]] void fail_early(Keeper& keeper, rpt_doc* document, const std::string& key,
                             bool replace, const std::string& reason) {
    keeper.flush();
    const std::string rest = replace ? "the document \"" + key + "\" stays as it was"
                                     : "the first " + std::to_string(rpt_doc_offset(document)) +
                                           " bytes of the text are in the memory";
    if (reason.empty()) fail_stopped(rest);
    throw Failure("stdin: " + reason + "; " + rest, kExitFailed, RPT_ERR_IO);
}

}  // namespace

uint32_t writing_flags(const Settings& settings, bool replace) {
    return (replace ? RPT_DOC_REPLACE : 0u) | (settings.text.lossy ? RPT_DOC_LOSSY_UTF8 : 0u);
}

Document begin_document(rpt_space* space, const std::string& key, const std::string& uri,
                        int64_t timestamp_ms, uint32_t flags) {
    rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
    options.flags = flags;
    options.key = key.c_str();
    options.uri = uri.empty() ? nullptr : uri.c_str();
    options.timestamp_ms = timestamp_ms;
    rpt_doc* opened = nullptr;
    Error error;
    error.check(rpt_doc_begin(space, &options, &opened, error.out()));
    return Document(opened);
}

rpt_doc_info finish_document(const Document& document) {
    rpt_doc_info info = {};
    info.struct_size = sizeof(info);
    Call call;
    Error error;
    error.check(rpt_doc_finish(document.get(), call.get(), &info, error.out()));
    return info;
}

rpt_doc_info add_stdin(const Settings& settings, rpt_space* space, const std::string& key,
                       bool replace, Progress& progress) {
    replace = replace || is_unfinished(space, key);
    const Document document = begin_document(space, key, "", 0, writing_flags(settings, replace));
    Keeper keeper(document.get());
    TextReader reader(settings.text, key, TextReader::Source::kStream);
    std::string piece(kPieceBytes, '\0'), text;
    const auto end_early = [&](const std::string& reason) {
        fail_early(keeper, document.get(), key, replace, reason);
    };
    for (bool ended = false; !ended;) {
        const Ready ready = wait_until_ready(STDIN_FILENO, POLLIN, keeper.patience_ms());
        if (ready == Ready::kTime) keeper.flush();
        if (ready == Ready::kTime) continue;
        const Received got = receive(STDIN_FILENO, piece.data(), piece.size());
        if (ready == Ready::kStop || got.problem == ECANCELED) end_early("");
        if (got.problem != 0) end_early(std::strerror(got.problem));
        ended = got.size == 0;
        text.clear();
        const bool good = ended ? reader.finish(text) : reader.feed({piece.data(), got.size}, text);
        Call call;
        Error error;
        const rpt_status status =
            rpt_doc_append(document.get(), text.data(), text.size(), call.get(), error.out());
        if (status == RPT_ERR_CANCELLED) end_early("");
        error.check(status);
        if (!text.empty()) keeper.took();
        if (!good) end_early(reader.problem());
        if (keeper.patience_ms() == 0) keeper.flush();
        progress.add(got.size);
    }
    return finish_document(document);
}

}  // namespace rpt::cli
