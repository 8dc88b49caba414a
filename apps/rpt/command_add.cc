// rpt add STORE PATH...: read files, directories or stdin into a memory.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "apps/rpt/file_walk.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"
#include "apps/rpt/utf8_scan.h"
#include "apps/rpt/workplace.h"

namespace rpt::cli {
namespace {

constexpr size_t kPieceBytes = 1 << 14;  // bounds how long a Ctrl-C and the progress bar wait
constexpr uint64_t kFlushBytes =
    1 << 20;  // of text between two flushes of a file: bounds what waits in memory
constexpr auto kFlushPause =
    std::chrono::seconds(1);          // stdin: how long what arrived may stay unsearchable
constexpr size_t kProbeBytes = 8192;  // a NUL byte in so much makes a file binary, as for git

struct Options {
    std::string store, key;
    std::vector<std::string> paths;
    bool replace = false;
};

struct Totals {
    uint64_t documents = 0, bytes = 0, tokens = 0, chunks = 0, unchanged = 0;
    std::vector<SkippedFile> skipped;
    std::vector<SkippedFile> failed;
};

class File {
  public:
    explicit File(const std::filesystem::path& path)
        : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (fd_ < 0) error_ = errno;
    }
    ~File() {
        if (fd_ > STDIN_FILENO) close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    bool is_open() const { return fd_ >= 0; }
    std::string problem() const { return std::strerror(error_); }
    // Bytes read, 0 at the end, or nothing on a failure or an interrupt.
    std::optional<size_t> read_piece(std::string& piece) {
        for (;;) {
            if (interrupted()) return std::nullopt;
            const ssize_t got = read(fd_, piece.data(), piece.size());
            if (got >= 0) return static_cast<size_t>(got);
            error_ = errno;
            if (error_ != EINTR) return std::nullopt;
        }
    }

  private:
    int fd_;
    int error_ = 0;
};

[[noreturn]] void fail_interrupted() {
    throw Failure("interrupted; what was finished is in the memory", kExitInterrupted,
                  RPT_ERR_CANCELLED);
}

// Why a file is not text, or nothing. Reads all of it: cheaper than to find out in the middle of a
// document.
std::optional<std::string> not_text(const std::filesystem::path& path) {
    File file(path);
    if (!file.is_open()) return file.problem();
    std::string piece(kPieceBytes, '\0');
    Utf8Scan scan;
    for (uint64_t at = 0;;) {
        const auto got = file.read_piece(piece);
        if (!got && interrupted()) fail_interrupted();
        if (!got) return file.problem();
        if (*got == 0) break;
        const std::string_view view(piece.data(), *got);
        if (at < kProbeBytes &&
            view.substr(0, kProbeBytes - at).find('\0') != std::string_view::npos)
            return "binary";
        if (const auto bad = scan.feed(view)) return "not UTF-8 at byte " + std::to_string(*bad);
        at += *got;
    }
    if (const auto bad = scan.finish()) return "not UTF-8 at byte " + std::to_string(*bad);
    return std::nullopt;
}

std::optional<rpt_doc_info> stored(rpt_space* space, const std::string& key) {
    rpt_doc_info info = {};
    info.struct_size = sizeof(info);
    Error error;
    const rpt_status status = rpt_doc_stat(space, key.c_str(), &info, error.out());
    if (status == RPT_ERR_NOT_FOUND) return std::nullopt;
    error.check(status);
    return info;
}

// Byte by byte: sizes differ for most changes, so the text is rarely read for nothing.
bool is_unchanged(rpt_space* space, const FoundFile& found, const rpt_doc_info& info) {
    if ((info.flags & RPT_DOC_FINISHED) == 0 || info.bytes_accepted != found.size) return false;
    File file(found.path);
    if (!file.is_open()) return false;
    std::string piece(kPieceBytes, '\0'), kept(kPieceBytes, '\0');
    for (uint64_t at = 0;;) {
        const auto got = file.read_piece(piece);
        if (!got) return false;
        if (*got == 0) return at == info.bytes_accepted;
        size_t kept_size = 0;
        if (rpt_doc_read(space, found.key.c_str(), at, kept.data(), *got, &kept_size, nullptr) < 0)
            return false;
        if (kept_size != *got || std::memcmp(piece.data(), kept.data(), *got) != 0) return false;
        at += *got;
    }
}

Document begin(rpt_space* space, const std::string& key, const std::string& uri,
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

void finish(const Settings& settings, const Document& document, Totals& totals) {
    rpt_doc_info info = {};
    info.struct_size = sizeof(info);
    Call call(settings);
    Error error;
    error.check(rpt_doc_finish(document.get(), call.get(), &info, error.out()));
    ++totals.documents;
    totals.bytes += info.bytes_accepted;
    totals.tokens += info.tokens;
    totals.chunks += info.chunks;
}

int64_t modified_ms(const std::filesystem::path& path) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(path, error);
    if (error) return 0;
    const auto system = std::chrono::file_clock::to_sys(time);
    return std::chrono::duration_cast<std::chrono::milliseconds>(system.time_since_epoch()).count();
}

void add_file(const Settings& settings, rpt_space* space, const FoundFile& found, bool replace,
              Progress& progress, Totals& totals) {
    File file(found.path);
    if (!file.is_open()) throw Failure("\"" + found.key + "\": " + file.problem());
    std::error_code ignored;
    const std::string uri =
        std::filesystem::absolute(found.path, ignored).lexically_normal().generic_string();
    const Document document = begin(space, found.key, uri, modified_ms(found.path), replace);
    std::string piece(kPieceBytes, '\0');
    for (uint64_t unflushed = 0;;) {
        const auto got = file.read_piece(piece);
        if (!got && interrupted()) fail_interrupted();
        if (!got) throw Failure("\"" + found.key + "\": " + file.problem());
        if (*got == 0) break;
        Call call(settings);
        Error error;
        error.check(rpt_doc_append(document.get(), piece.data(), *got, call.get(), error.out()));
        unflushed += *got;
        if (unflushed >= kFlushBytes) {
            error.check(rpt_doc_flush(document.get(), 0, call.get(), nullptr, error.out()));
            unflushed = 0;
        }
        progress.add(*got);
    }
    finish(settings, document, totals);
}

// Makes what arrived searchable; a replacement stays out of sight until it is whole.
class Keeper {
  public:
    explicit Keeper(rpt_doc* document) : document_(document) {}
    void took() { dirty_ = true; }
    // Milliseconds that a wait for more may last before flush() is due; -1: for ever.
    int patience_ms() const {
        if (!dirty_) return -1;
        const auto left = flushed_ + kFlushPause - std::chrono::steady_clock::now();
        return static_cast<int>(std::max<int64_t>(
            0, std::chrono::duration_cast<std::chrono::milliseconds>(left).count()));
    }
    // Without a cancel token: the work is one block of tokens and one transaction, and on Ctrl-C it
    // is what keeps everything that was read.
    void flush() {
        Error error;
        error.check(rpt_doc_flush(document_, RPT_FLUSH_TAIL, nullptr, nullptr, error.out()));
        flushed_ = std::chrono::steady_clock::now();
        dirty_ = false;
    }

  private:
    rpt_doc* document_;
    std::chrono::steady_clock::time_point flushed_ = std::chrono::steady_clock::now();
    bool dirty_ = false;
};

// Reads as it arrives: what came is searchable a second later, and stays if the sender or we are
// interrupted.
void add_stdin(const Settings& settings, rpt_space* space, const std::string& key, bool replace,
               Progress& progress, Totals& totals) {
    if (!replace) {
        const auto info = stored(space, key);
        replace =
            info && (info->flags & RPT_DOC_FINISHED) == 0;  // left behind by an interrupted run
    }
    const Document document = begin(space, key, "", 0, replace);
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
        if (got == 0) {
            finish(settings, document, totals);
            return;
        }
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

// One file: skipped if it is not text or known already, read otherwise.
void consider(const Settings& settings, const Options& options, rpt_space* space,
              const FoundFile& found, Progress& progress, Totals& totals) {
    if (const auto why = not_text(found.path)) {
        totals.skipped.push_back({found.key, *why});
        return;
    }
    bool replace = options.replace;
    if (const auto info = stored(space, found.key)) {
        if (is_unchanged(space, found, *info)) {
            ++totals.unchanged;
            totals.skipped.push_back({found.key, "unchanged"});
            return;
        }
        // what an interrupted run left behind is no document to protect
        if ((info->flags & RPT_DOC_FINISHED) == 0) replace = true;
        if (!replace) {
            totals.failed.push_back(
                {found.key, "in the memory already with other content; give --replace"});
            return;
        }
    }
    add_file(settings, space, found, replace, progress, totals);
}

void report(const Settings& settings, const Totals& totals, double seconds) {
    if (settings.json) {
        nlohmann::ordered_json json = {
            {"documents", totals.documents},    {"bytes", totals.bytes},
            {"tokens", totals.tokens},          {"chunks", totals.chunks},
            {"skipped", totals.skipped.size()}, {"seconds", seconds},
            {"unchanged", totals.unchanged}};
        const auto list = [](const std::vector<SkippedFile>& files) {
            auto out = nlohmann::ordered_json::array();
            for (const SkippedFile& file : files)
                out.push_back({{"path", file.path}, {"reason", file.reason}});
            return out;
        };
        json["skipped_paths"] = list(totals.skipped);
        json["failed_paths"] = list(totals.failed);
        print_json(json);
        return;
    }
    for (const SkippedFile& file : totals.skipped) {
        if (file.reason != "unchanged")
            remark(settings, "skipped " + printable(file.path) + ": " + file.reason);
    }
    print_line("added " + format_count(totals.documents) +
               (totals.documents == 1 ? " document: " : " documents: ") +
               format_size(totals.bytes) + ", " + format_count(totals.tokens) + " tokens, " +
               format_count(totals.chunks) + " chunks in " + format_seconds(seconds) +
               "; skipped " + format_count(totals.skipped.size()) + ", of which unchanged " +
               format_count(totals.unchanged));
    flush_output();
}

int run(const Settings& settings, const Options& options) {
    const auto start = std::chrono::steady_clock::now();
    Walk walk;
    bool from_stdin = false;
    for (const std::string& path : options.paths) {
        if (path == "-") {
            if (from_stdin) throw Failure("stdin can be read once only", kExitUsage);
            from_stdin = true;
        } else {
            walk_path(path, options.store, walk);
        }
    }
    if (!options.key.empty()) {
        if (walk.files.size() + (from_stdin ? 1 : 0) != 1) {
            throw Failure("--key names one document, but the paths hold " +
                              std::to_string(walk.files.size() + (from_stdin ? 1 : 0)),
                          kExitUsage);
        }
        for (FoundFile& file : walk.files) file.key = options.key;
    }

    Workplace place(settings);
    place.open_model(settings);
    place.open_store(settings, options.store, Access::kCreate);
    place.open_spaces(settings, true);
    rpt_space* space = place.spaces.front().get();

    Totals totals;
    totals.skipped = walk.skipped;
    uint64_t total = 0, before = 0;
    for (const FoundFile& file : walk.files) total += file.size;
    {
        Progress progress("reading", from_stdin ? 0 : total, Progress::Unit::kBytes,
                          settings.quiet);
        for (const FoundFile& file : walk.files) {
            if (interrupted()) fail_interrupted();
            consider(settings, options, space, file, progress, totals);
            before += file.size;
            progress.set(before);
        }
        if (from_stdin) {
            add_stdin(settings, space, options.key.empty() ? "stdin" : options.key, options.replace,
                      progress, totals);
        }
    }
    place.close_store();
    report(settings, totals,
           std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    if (totals.failed.empty()) return kExitDone;
    const SkippedFile& first = totals.failed.front();
    const size_t others = totals.failed.size() - 1;
    throw Failure("\"" + first.path + "\": " + first.reason +
                  (others > 0 ? " (and " + std::to_string(others) + " others)" : ""));
}

}  // namespace

void register_add(Registry& registry) {
    auto options = std::make_shared<Options>();
    CLI::App* command =
        add_command(registry, registry.app, "add", "Read files, directories or stdin into a memory",
                    "rpt add notes ~/notes README.md\n  tail -f log | rpt add notes - --key log");
    command->add_option("STORE", options->store, "Directory of the memory; made if it is not there")
        ->required();
    command
        ->add_option("PATH", options->paths,
                     "Files, directories (as .gitignore says), or - for stdin")
        ->required();
    command->add_option("--key", options->key, "Name of the document (default: its path; stdin)")
        ->type_name("NAME");
    command->add_flag("--replace", options->replace,
                      "Let new content take the place of a document of that name");
    add_space_options(*command, registry.settings, false);
    add_model_options(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
