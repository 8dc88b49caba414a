#include "storage/sqlite/connection_pool.h"

#include <sys/stat.h>

#include "base/error.h"
#include "storage/sqlite/schema.h"

namespace rpt::storage {
namespace {

constexpr size_t kKept = 4;

}  // namespace

ConnectionPool::Lease::Lease(ConnectionPool& pool) : pool_(pool), connection_(pool.take(epoch_)) {
    transaction_ = std::make_unique<Transaction>(*connection_, Transaction::Kind::kRead);
}

ConnectionPool::Lease::~Lease() {
    transaction_.reset();
    pool_.give_back(std::move(connection_), epoch_);
}

void ConnectionPool::read_immutable() {
    immutable_ = look();
    idle_.clear();
}

ConnectionPool::FileState ConnectionPool::look() const {
    struct stat facts {};
    FileState state;
    if (::stat((file_ + "-wal").c_str(), &facts) == 0) state.log = facts.st_size > 0;
    if (::stat(file_.c_str(), &facts) != 0) return state;
    state.file = facts.st_ino;
    state.size = static_cast<uint64_t>(facts.st_size);
    state.changed_ns = int64_t(facts.st_mtim.tv_sec) * 1'000'000'000 + facts.st_mtim.tv_nsec;
    return state;
}

std::unique_ptr<Connection> ConnectionPool::open(bool immutable) const {
    auto connection = std::make_unique<Connection>(
        file_, immutable ? Connection::Access::kImmutable : Connection::Access::kReadOnly, label_);
    configure_reader(*connection);
    return connection;
}

void ConnectionPool::close() {
    std::vector<std::unique_ptr<Connection>> idle;
    const std::lock_guard guard(mutex_);
    closed_ = true;
    idle.swap(idle_);
}

std::unique_ptr<Connection> ConnectionPool::take(uint64_t& epoch) {
    bool immutable = false;
    {
        const std::lock_guard guard(mutex_);
        if (closed_)
            throw Error(Status::kState, "rpt", "store \"" + label_ + "\" is closed; open it again");
        if (immutable_) {
            if (const FileState now = look(); now != *immutable_) {
                immutable_ = now;
                idle_.clear();
                ++epoch_;
            }
            // A log belongs to a writer, whose shared files can be read then.
            immutable = !immutable_->log;
        }
        epoch = epoch_;
        if (!idle_.empty()) {
            auto connection = std::move(idle_.back());
            idle_.pop_back();
            return connection;
        }
    }
    return open(immutable);
}

void ConnectionPool::give_back(std::unique_ptr<Connection> connection, uint64_t epoch) {
    try {
        const std::lock_guard guard(mutex_);
        if (!closed_ && epoch == epoch_ && idle_.size() < kKept)
            idle_.push_back(std::move(connection));
    } catch (...) {  // no memory to keep it: it is closed instead
    }
}

}  // namespace rpt::storage
