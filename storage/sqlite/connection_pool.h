// Reading connections of one store, opened when needed and kept for the next.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
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
        uint64_t epoch_ = 0;
        std::unique_ptr<Connection> connection_;
        std::unique_ptr<Transaction> transaction_;
    };

    // Reads without locks or a log from now on, where the folder cannot be written: then SQLite
    // cannot make its shared files. Later leases look at the database and its log first, since
    // another user's writer may come. Before the pool is shared; closes what was opened otherwise.
    void read_immutable();
    // Later leases throw kState.
    void close();

  private:
    // What tells that a writer was at work.
    struct FileState {
        uint64_t file = 0, size = 0;
        int64_t changed_ns = 0;
        bool log = false;  // there is one with bytes in it
        bool operator==(const FileState&) const = default;
    };
    FileState look() const;
    std::unique_ptr<Connection> open(bool immutable) const;
    std::unique_ptr<Connection> take(uint64_t& epoch);
    void give_back(std::unique_ptr<Connection> connection, uint64_t epoch);

    const std::string file_, label_;
    std::mutex mutex_;  // guards all below
    std::vector<std::unique_ptr<Connection>> idle_;
    uint64_t epoch_ = 0;                  // connections of an older one read a state that is gone
    std::optional<FileState> immutable_;  // of what is read so; else nothing
    bool closed_ = false;
};

}  // namespace rpt::storage
