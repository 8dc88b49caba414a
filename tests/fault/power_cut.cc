#include "tests/fault/power_cut.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/fault/fault_plan.h"

namespace rpt::fault {
namespace {

constexpr uint64_t kPiece = 512;

std::atomic<PowerCut*> the_recorder{nullptr};

std::string plain(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

std::string folder_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du) {}
    uint64_t next() {
        state_ += 0x9e3779b97f4a7c15u;
        uint64_t x = state_;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        return x ^ (x >> 31);
    }
    bool chance(uint64_t percent) { return next() % 100 < percent; }

  private:
    uint64_t state_;
};

}  // namespace

struct PowerCut::Node {
    struct Change {
        bool resize = false;
        uint64_t offset = 0;  // or the size
        std::string bytes;
    };
    bool folder = false;
    std::string content;  // as of the last sync
    std::vector<Change> changes;

    static void put(std::string& content, uint64_t offset, std::string_view bytes) {
        if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
        std::memcpy(content.data() + offset, bytes.data(), bytes.size());
    }
    static void apply(std::string& content, const Change& change) {
        if (change.resize) {
            content.resize(change.offset, '\0');
        } else {
            put(content, change.offset, change.bytes);
        }
    }
    std::string after_cut(Random& random) const {
        std::string disk = content;
        std::vector<Change> order = changes;
        if (random.chance(50))
            for (size_t i = order.size(); i > 1; --i)
                std::swap(order[i - 1], order[random.next() % i]);
        static constexpr uint64_t kPercents[] = {0, 5, 50, 95, 100};
        const uint64_t percent = kPercents[random.next() % std::size(kPercents)];
        const bool torn = random.chance(50);  // else each write is there whole or not at all
        uint64_t largest = disk.size();
        for (const Change& change : order) {
            if (change.resize || !torn) {
                if (random.chance(percent)) apply(disk, change);
                largest = std::max<uint64_t>(largest, change.offset + change.bytes.size());
                continue;
            }
            const uint64_t end = change.offset + change.bytes.size();
            for (uint64_t at = change.offset; at < end;) {
                const uint64_t next = std::min(end, (at / kPiece + 1) * kPiece);
                if (random.chance(percent))
                    put(disk, at,
                        std::string_view(change.bytes).substr(at - change.offset, next - at));
                at = next;
            }
            largest = std::max(largest, end);
        }
        if (disk.size() < largest && random.chance(30)) disk.resize(largest, '\0');
        return disk;
    }
};

PowerCut* PowerCut::current() {
    return the_recorder;
}

PowerCut::PowerCut(const std::string& root) : root_(plain(root)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root_)) {
        auto node = std::make_shared<Node>();
        node->folder = entry.is_directory();
        if (!node->folder) {
            std::ifstream in(entry.path(), std::ios::binary);
            node->content.assign(std::istreambuf_iterator<char>(in), {});
        }
        now_[entry.path().string()] = node;
    }
    durable_ = now_;
    the_recorder = this;
}

PowerCut::~PowerCut() {
    the_recorder = nullptr;
}

bool PowerCut::inside(const std::string& path) const {
    return path.size() > root_.size() && path.starts_with(root_) && path[root_.size()] == '/';
}

bool PowerCut::happens() {
    return ++events_ < stop_at_;
}

void PowerCut::stop_at(uint64_t n) {
    const std::lock_guard guard(mutex_);
    stop_at_ = events_ + n;
}

bool PowerCut::stopped() const {
    const std::lock_guard guard(mutex_);
    return events_ >= stop_at_;
}

uint64_t PowerCut::events() const {
    const std::lock_guard guard(mutex_);
    return events_;
}

uint64_t PowerCut::unsynced() const {
    const std::lock_guard guard(mutex_);
    uint64_t n = 0;
    for (const auto& [path, node] : now_) {
        const auto durable = durable_.find(path);
        n += node->changes.size() + (durable == durable_.end() || durable->second != node);
    }
    for (const auto& [path, node] : durable_) n += !now_.contains(path);
    return n;
}

std::shared_ptr<PowerCut::Node> PowerCut::opened(const std::string& path, bool may_create) {
    const std::lock_guard guard(mutex_);
    if (!inside(path)) return nullptr;
    if (const auto found = now_.find(path); found != now_.end()) return found->second;
    if (!may_create || !happens()) return nullptr;
    return now_[path] = std::make_shared<Node>();
}

void PowerCut::wrote(const std::shared_ptr<Node>& node, uint64_t offset, std::string_view bytes) {
    const std::lock_guard guard(mutex_);
    if (!node || bytes.empty() || !happens()) return;
    node->changes.push_back({false, offset, std::string(bytes)});
}

void PowerCut::resized(const std::shared_ptr<Node>& node, uint64_t size) {
    const std::lock_guard guard(mutex_);
    if (node && happens()) node->changes.push_back({true, size, {}});
}

void PowerCut::synced(const std::shared_ptr<Node>& node) {
    const std::lock_guard guard(mutex_);
    if (!node || !happens()) return;
    for (const Node::Change& change : node->changes) Node::apply(node->content, change);
    node->changes.clear();
}

void PowerCut::synced_folder(const std::string& path) {
    const std::lock_guard guard(mutex_);
    const std::string folder = plain(path);
    if ((!inside(folder) && folder != root_) || !happens()) return;
    std::erase_if(durable_, [&](const auto& name) { return folder_of(name.first) == folder; });
    for (const auto& [name, node] : now_)
        if (folder_of(name) == folder) durable_[name] = node;
}

void PowerCut::made_folder(const std::string& path) {
    const std::lock_guard guard(mutex_);
    if (!inside(plain(path)) || !happens()) return;
    auto node = std::make_shared<Node>();
    node->folder = true;
    now_[plain(path)] = std::move(node);
}

void PowerCut::renamed(const std::string& from, const std::string& to) {
    const std::lock_guard guard(mutex_);
    const auto found = now_.find(from);
    if (found == now_.end() || !happens()) return;
    now_[to] = found->second;
    now_.erase(from);
}

void PowerCut::removed(const std::string& path) {
    const std::lock_guard guard(mutex_);
    if (now_.contains(plain(path)) && happens()) now_.erase(plain(path));
}

void PowerCut::cut(uint64_t seed, const std::string& target) const {
    const FaultGate::Suspend quiet;
    const std::lock_guard guard(mutex_);
    Random random(seed);
    std::filesystem::remove_all(target);
    std::filesystem::create_directories(target);
    std::set<std::string> names;
    for (const auto* side : {&now_, &durable_})
        for (const auto& [name, node] : *side) names.insert(name);
    std::map<std::string, bool> folders{{root_, true}};
    for (const std::string& name : names) {  // sorted: a folder before what is in it
        const auto now = now_.find(name), durable = durable_.find(name);
        const std::shared_ptr<Node> after = now == now_.end() ? nullptr : now->second;
        const std::shared_ptr<Node> before = durable == durable_.end() ? nullptr : durable->second;
        const std::shared_ptr<Node> node = random.chance(50) ? after : before;
        if (!node || !folders[folder_of(name)]) continue;
        const std::string place = target + name.substr(root_.size());
        if (node->folder) {
            folders[name] = true;
            std::filesystem::create_directory(place);
            continue;
        }
        const std::string bytes = node->after_cut(random);
        std::ofstream(place, std::ios::binary)
            .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
}

}  // namespace rpt::fault
