// Tells when files below some folders change.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace rpt::cli {

// Over inotify; where the system gives no more watches, by looking again every few seconds. What
// happens between two waits is not lost.
class TreeWatch {
  public:
    using Clock = std::chrono::steady_clock;
    // What a memory that lies in a watched folder writes wakes nobody. Throws Failure where the
    // system refuses.
    explicit TreeWatch(const std::filesystem::path& store);
    ~TreeWatch();
    TreeWatch(const TreeWatch&) = delete;
    TreeWatch& operator=(const TreeWatch&) = delete;

    // Watches the files of this folder, not of those below it. Again changes nothing; a folder that
    // came to a known name is watched in place of the old one.
    void add_folder(const std::filesystem::path& folder);
    bool is_out_of_watches() const { return out_of_watches_; }
    // Whether something has changed, without waiting.
    bool has_changes();
    // Returns true some moments after the first of a burst of changes, at `due` if that is earlier,
    // and every few seconds if `poll` is set. False after a moment without any, so that the caller
    // can look after other things.
    bool wait(std::optional<Clock::time_point> due, bool poll);

  private:
    bool drain();
    bool is_news(int watch, const std::string& name) const;

    std::filesystem::path store_;
    int fd_;
    bool changed_ = false, out_of_watches_ = false;
    Clock::time_point looked_ = Clock::now();
    std::set<int> store_watches_;
};

}  // namespace rpt::cli
