// What a disk may hold after the power went: everything that was synced, and of the rest any part.
// Fed by fault_vfs (SQLite's files) and fault_files (our own).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace rpt::fault {

// Records changes below one folder while it lives; one at a time in a process. Create it before the
// files are opened. Shared by threads. The rules of its disk:
// - a write that was not synced is there, or not, in each 512-byte piece by itself, whatever the
//   order; a file that grew may have the new size with zeros for what is missing;
// - a name that was made, moved or removed since the last sync of its folder is as before or as
//   after, each name by itself. Moved content keeps its own state.
class PowerCut {
  public:
    struct Node;

    explicit PowerCut(const std::string& root);
    ~PowerCut();
    PowerCut(const PowerCut&) = delete;
    PowerCut& operator=(const PowerCut&) = delete;

    // The power goes at the n-th event from now (from 1): it and all later ones never happen.
    void stop_at(uint64_t n);
    bool stopped() const;
    uint64_t events() const;
    // Events that are not on the disk for certain.
    uint64_t unsynced() const;
    // Builds one possible state in `target`, which is emptied before. Same seed, same state.
    void cut(uint64_t seed, const std::string& target) const;

    // Events, from the layers. A null node is a file outside the folder or after the end.
    std::shared_ptr<Node> opened(const std::string& path, bool may_create);
    void wrote(const std::shared_ptr<Node>& node, uint64_t offset, std::string_view bytes);
    void resized(const std::shared_ptr<Node>& node, uint64_t size);
    void synced(const std::shared_ptr<Node>& node);
    void synced_folder(const std::string& folder);
    void made_folder(const std::string& path);
    void renamed(const std::string& from, const std::string& to);
    void removed(const std::string& path);

    // The recorder of the process, or null.
    static PowerCut* current();

  private:
    using Names = std::map<std::string, std::shared_ptr<Node>>;
    bool inside(const std::string& path) const;
    bool happens();

    std::string root_;
    mutable std::mutex mutex_;  // guards all below, and the nodes
    Names now_, durable_;       // by path below the root
    uint64_t events_ = 0, stop_at_ = UINT64_MAX;
};

}  // namespace rpt::fault
