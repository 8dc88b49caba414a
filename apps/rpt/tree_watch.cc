#include "apps/rpt/tree_watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "apps/rpt/handles.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/memory_place.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// IN_MODIFY tells of files that stay open while they grow.
constexpr uint32_t kChanges = IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                              IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB;
constexpr auto kQuiet = 200ms;   // without a change: the burst is over
constexpr auto kBurst = 1000ms;  // no burst is longer: a busy file must not hide the others
constexpr auto kTick = 500ms;    // how long a Ctrl-C waits
constexpr auto kPoll = 2000ms;   // between two looks without events

int milliseconds(TreeWatch::Clock::duration time) {
    const auto whole = std::chrono::ceil<std::chrono::milliseconds>(time).count();
    return static_cast<int>(std::clamp<int64_t>(whole, 0, 60'000));
}

}  // namespace

TreeWatch::TreeWatch(const fs::path& store) : fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    std::error_code ignored;
    store_ = fs::weakly_canonical(store, ignored);
    if (fd_ < 0) throw Failure(std::string("cannot watch files: ") + std::strerror(errno));
}

TreeWatch::~TreeWatch() {
    close(fd_);
}

void TreeWatch::add_folder(const fs::path& folder) {
    const int watch = inotify_add_watch(fd_, folder.c_str(), kChanges | IN_ONLYDIR);
    // One that has gone or may not be read needs none: the folder around it tells when that
    // changes.
    if (watch < 0) out_of_watches_ |= errno == ENOSPC || errno == ENOMEM;
    if (watch >= 0 && folder == store_) store_watches_.insert(watch);
}

bool TreeWatch::is_news(int watch, const std::string& name) const {
    return !store_watches_.contains(watch) || !is_own_name(name);
}

bool TreeWatch::drain() {
    alignas(inotify_event) char buffer[16384];
    bool any = false;
    for (ssize_t size; (size = read(fd_, buffer, sizeof buffer)) > 0;) {
        for (ssize_t at = 0; at < size;) {
            const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
            // IN_Q_OVERFLOW has no watch: something was lost, which a look at all finds.
            any |= is_news(event->wd, event->len > 0 ? std::string(event->name) : std::string());
            at += ssize_t(sizeof(inotify_event)) + event->len;
        }
    }
    return any;
}

bool TreeWatch::has_changes() {
    changed_ |= drain();
    return changed_;
}

bool TreeWatch::wait(std::optional<Clock::time_point> due, bool poll_too) {
    pollfd waiting = {fd_, POLLIN, 0};
    const auto start = Clock::now();
    auto end = start + kTick;
    const bool polls = poll_too || out_of_watches_;
    if (due) end = std::min(end, *due);
    if (!has_changes() && !interrupted()) {
        ::poll(&waiting, 1, milliseconds(end - Clock::now()));
        has_changes();
    }
    const auto first = Clock::now();
    while (changed_ && !interrupted() && Clock::now() - first < kBurst) {
        if (::poll(&waiting, 1, milliseconds(kQuiet)) <= 0) break;
        if (!drain()) std::ignore = ::poll(nullptr, 0, milliseconds(kQuiet / 4));
    }
    const auto now = Clock::now();
    const bool wakes = changed_ || (due && now >= *due) || (polls && now - looked_ >= kPoll);
    if (wakes) looked_ = now;
    changed_ = false;
    return wakes;
}

}  // namespace rpt::cli
