// One SQLite connection, its prepared statements and transactions; SQLite's failures as rpt::Error.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"

struct sqlite3;
struct sqlite3_file;
struct sqlite3_stmt;

namespace rpt::storage {

struct SqliteDeleter {
    void operator()(sqlite3* db) const;
    void operator()(sqlite3_stmt* statement) const;
};
using SqliteStatement = std::unique_ptr<sqlite3_stmt, SqliteDeleter>;

// One thread at a time.
class Connection {
  public:
    enum class Access { kCreate, kReadWrite, kReadOnly, kImmutable };
    // `label` names the store in error texts. kImmutable reads without locks or a log: nobody may
    // write meanwhile.
    Connection(const std::string& file, Access access, std::string label);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void exec(const char* sql);
    int64_t read_number(const char* sql);
    // Rolls back what a rollback that failed (no memory) left open; nothing could begin otherwise.
    void leave_transaction();
    int64_t last_row_id() const;
    int64_t changed_rows() const;
    const std::string& label() const { return label_; }
    // All of this database, as its open transaction sees it, into an empty file.
    // kCancelled, kNoSpace, kIo.
    void copy_to(const std::string& file, const CallControl& control) const;
    // The file itself, below SQLite but through its own handle: opening and closing another would
    // lose the locks of the process. Reads and writes the whole piece. kCorrupt beyond the end,
    // kIo.
    void read_file(void* to, size_t size, uint64_t offset) const;
    void write_file(const void* from, size_t size, uint64_t offset);
    void sync_file();
    // Between transactions: the next one reads the file anew.
    void drop_cached_pages();
    // Closes with SQLite's answer checked; the destructor closes without.
    void close();
    // `what` as in "cannot commit".
    [[noreturn]] void fail(int code, const std::string& what) const;

  private:
    friend class Query;
    friend class Transaction;
    SqliteStatement take(const char* sql);
    void give_back(const char* sql, SqliteStatement statement);
    sqlite3_file* file() const;

    std::string label_;
    std::unique_ptr<sqlite3, SqliteDeleter> db_;
    std::map<std::string_view, std::vector<SqliteStatement>>
        idle_;  // by SQL text, which lives as long as the program
};

// One run of a statement, prepared once a connection. `sql` must be a literal. Columns count from
// 0, parameters from 1; bound bytes are borrowed until the query ends.
class Query {
  public:
    Query(Connection& connection, const char* sql);
    ~Query();
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    Query& bind(int64_t value);
    Query& bind_text(std::string_view value);
    Query& bind_blob(std::string_view value);
    Query& bind_null();
    // True while there is a row.
    bool step();
    // For statements without rows.
    void run();
    // Again with other parameters.
    void reset();

    int64_t number(int column) const;
    uint64_t count(int column) const { return static_cast<uint64_t>(number(column)); }
    // kCorrupt for a number above `most`, which would be read as another one.
    uint32_t count32(int column, uint32_t most = UINT32_MAX) const;
    bool flag(int column) const { return count32(column, 1) != 0; }
    // Borrowed until the next step.
    std::string_view blob(int column) const;
    bool is_null(int column) const;

  private:
    Connection& connection_;
    const char* sql_;
    SqliteStatement statement_;
    int n_bound_ = 0;
};

// Rolled back unless committed.
class Transaction {
  public:
    enum class Kind { kRead, kWrite };
    Transaction(Connection& connection, Kind kind);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit();

  private:
    Connection& connection_;
    bool open_ = true;
};

}  // namespace rpt::storage
