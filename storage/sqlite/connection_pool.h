// Reading connections of one store, opened when needed and kept for the next.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/sqlite/sqlite_connection.h"

namespace rpt::storage {

// Shared by threads. Never waits: if all connections are out another is opened, so that a caller
// may read while it reads.
class ConnectionPool {
  public:
    ConnectionPool(std::string file, std::string label)
        : file_(std::move(file)), label_(std::move(label)) {}

    // A read transaction on a connection of its own; given back at the end.
    class Lease {
      public:
        explicit Lease(ConnectionPool& pool);
        ~Lease();
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        Connection& operator*() { return *connection_; }

      private:
        ConnectionPool& pool_;
        std::unique_ptr<Connection> connection_;
        std::unique_ptr<Transaction> transaction_;
    };

    // Before the pool is shared; closes what was opened otherwise.
    void set_access(Connection::Access access);
    std::unique_ptr<Connection> open() const;
    // Later leases throw kState.
    void close();

  private:
    std::unique_ptr<Connection> take();
    void give_back(std::unique_ptr<Connection> connection);

    const std::string file_, label_;
    Connection::Access access_ = Connection::Access::kReadOnly;
    std::mutex mutex_;  // guards all below
    std::vector<std::unique_ptr<Connection>> idle_;
    bool closed_ = false;
};

}  // namespace rpt::storage
