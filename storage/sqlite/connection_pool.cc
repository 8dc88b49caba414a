#include "storage/sqlite/connection_pool.h"

#include "base/error.h"
#include "storage/sqlite/schema.h"

namespace rpt::storage {
namespace {

constexpr size_t kKept = 4;

}  // namespace

ConnectionPool::Lease::Lease(ConnectionPool& pool) : pool_(pool), connection_(pool.take()) {
    transaction_ = std::make_unique<Transaction>(*connection_, Transaction::Kind::kRead);
}

ConnectionPool::Lease::~Lease() {
    transaction_.reset();
    pool_.give_back(std::move(connection_));
}

void ConnectionPool::set_access(Connection::Access access) {
    access_ = access;
    idle_.clear();
}

std::unique_ptr<Connection> ConnectionPool::open() const {
    auto connection = std::make_unique<Connection>(file_, access_, label_);
    configure_reader(*connection);
    return connection;
}

void ConnectionPool::close() {
    std::vector<std::unique_ptr<Connection>> idle;
    const std::lock_guard guard(mutex_);
    closed_ = true;
    idle.swap(idle_);
}

std::unique_ptr<Connection> ConnectionPool::take() {
    {
        const std::lock_guard guard(mutex_);
        if (closed_)
            throw Error(Status::kState, "rpt", "store \"" + label_ + "\" is closed; open it again");
        if (!idle_.empty()) {
            auto connection = std::move(idle_.back());
            idle_.pop_back();
            return connection;
        }
    }
    return open();
}

void ConnectionPool::give_back(std::unique_ptr<Connection> connection) {
    try {
        const std::lock_guard guard(mutex_);
        if (!closed_ && idle_.size() < kKept) idle_.push_back(std::move(connection));
    } catch (...) {  // no memory to keep it: it is closed instead
    }
}

}  // namespace rpt::storage
