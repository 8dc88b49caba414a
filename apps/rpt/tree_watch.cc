#include "apps/rpt/tree_watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "apps/rpt/handles.h"
#include "apps/rpt/interrupt.h"

namespace rpt::cli {
namespace fs = std::filesystem;
namespace {

constexpr uint32_t kChanges = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                              IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB;
constexpr int kQuietMs = 200;  // without a change: the burst is over
constexpr int kLookMs = 500;   // how long a Ctrl-C waits

int64_t nanoseconds(const timespec& time) {
    return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileStamp FileStamp::of(const fs::path& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) return {};
    return {facts.st_ino, static_cast<uint64_t>(facts.st_size), nanoseconds(facts.st_mtim),
            nanoseconds(facts.st_ctim)};
}

TreeWatch::TreeWatch(std::vector<std::string> paths, fs::path store)
    : paths_(std::move(paths)), fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    std::error_code ignored;
    store_ = fs::weakly_canonical(store, ignored);
    if (fd_ < 0) throw Failure(std::string("cannot watch files: ") + std::strerror(errno));
    watch_all();
}

TreeWatch::~TreeWatch() {
    close(fd_);
}

void TreeWatch::watch_folder(const fs::path& folder) {
    if (inotify_add_watch(fd_, folder.c_str(), kChanges | IN_ONLYDIR) >= 0) return;
    if (errno == ENOSPC)
        throw Failure("cannot watch \"" + folder.string() +
                      "\": the system's limit of watches is reached; raise "
                      "fs.inotify.max_user_watches");
}

// Adding a watch twice changes nothing.
void TreeWatch::watch_all() {
    for (const std::string& path : paths_) {
        std::error_code error;
        if (!fs::is_directory(path, error)) {
            // Editors write beside a file and rename: its folder tells.
            const fs::path folder = fs::path(path).parent_path();
            watch_folder(folder.empty() ? "." : folder);
            continue;
        }
        watch_folder(path);
        for (fs::recursive_directory_iterator
                 it(path, fs::directory_options::skip_permission_denied, error),
             end;
             !error && it != end; it.increment(error)) {
            if (!it->is_directory(error) || it->is_symlink(error)) continue;
            std::error_code ignored;
            if (it->path().filename() == ".git" ||
                fs::weakly_canonical(it->path(), ignored) == store_) {
                it.disable_recursion_pending();
                continue;
            }
            watch_folder(it->path());
        }
    }
}

bool TreeWatch::drain() {
    alignas(inotify_event) char buffer[16384];
    bool any = false;
    while (read(fd_, buffer, sizeof buffer) > 0) any = true;
    return any;
}

bool TreeWatch::wait() {
    pollfd waiting = {fd_, POLLIN, 0};
    while (!interrupted()) {
        if (poll(&waiting, 1, kLookMs) <= 0 || !drain()) continue;
        while (!interrupted() && poll(&waiting, 1, kQuietMs) > 0) drain();
        watch_all();
        return !interrupted();
    }
    return false;
}

}  // namespace rpt::cli
