#include "storage/sqlite/sqlite_connection.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace rpt::storage {
namespace {

Status status_of(int code, int os_error) {
    switch (code & 0xff) {
        case SQLITE_FULL:
            return Status::kNoSpace;
        case SQLITE_IOERR:
            if (code == SQLITE_IOERR_CORRUPTFS) return Status::kCorrupt;
            if (code == SQLITE_IOERR_NOMEM) return Status::kNoMemory;
            [[fallthrough]];
        case SQLITE_CANTOPEN:
            if (os_error == ENOSPC || os_error == EDQUOT || os_error == EFBIG)
                return Status::kNoSpace;
            if (os_error == EROFS) return Status::kReadOnly;
            return Status::kIo;
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return Status::kIo;
        case SQLITE_READONLY:
            return Status::kReadOnly;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
            return Status::kBusy;
        case SQLITE_NOMEM:
            return Status::kNoMemory;
        case SQLITE_TOOBIG:
            return Status::kTooLarge;
        case SQLITE_INTERRUPT:
            return Status::kCancelled;
        case SQLITE_MISUSE:
        case SQLITE_RANGE:
            return Status::kInternal;
        default:
            // Our statements and constraints are fixed, so one that fails met a schema or rows that
            // we did not write.
            return Status::kCorrupt;
    }
}

const char* advice(Status status) {
    switch (status) {
        case Status::kCorrupt:
            return "; check the store and restore a backup";
        case Status::kNoSpace:
            return "; free disk space and try again, nothing was changed";
        case Status::kReadOnly:
            return "; open the store read-only or change the permissions of its folder";
        case Status::kBusy:
            return "; try again later";
        default:
            return "";
    }
}

// errno of a failed call on a file. SQLite forgets the connection's copy when a statement is reset,
// the files keep theirs.
int os_error_of(sqlite3* db) {
    if (db == nullptr) return 0;
    if (const int code = sqlite3_system_errno(db)) return code;
    int code = 0;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &code) == SQLITE_OK && code != 0)
        return code;
    sqlite3_file* log = nullptr;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
        log != nullptr && log->pMethods != nullptr &&
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &code) == SQLITE_OK)
        return code;
    return 0;
}

// SQLite wants a URI for "immutable"; everything that means something in one is escaped.
std::string immutable_uri(const std::string& file) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string uri =
        file.starts_with('/') ? "file://" : "file:";  // an empty host, or "//a" would name one
    for (const char c : file) {
        const auto byte = static_cast<uint8_t>(c);
        if (c == '%' || c == '?' || c == '#' || byte < 0x20) {
            uri += {'%', kHex[byte >> 4], kHex[byte & 15]};
        } else {
            uri += c;
        }
    }
    return uri + "?immutable=1";
}

}  // namespace

void SqliteDeleter::operator()(sqlite3* db) const {
    sqlite3_close_v2(db);
}
void SqliteDeleter::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

Connection::Connection(const std::string& file, Access access, std::string label)
    : label_(std::move(label)) {
    // Some builds of SQLite take any name that begins like a URI for one.
    const std::string plain = file.starts_with("file:") ? "./" + file : file;
    const std::string name = access == Access::kImmutable ? immutable_uri(plain) : plain;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    switch (access) {
        case Access::kCreate:
            flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
            break;
        case Access::kReadWrite:
            flags |= SQLITE_OPEN_READWRITE;
            break;
        case Access::kReadOnly:
            flags |= SQLITE_OPEN_READONLY;
            break;
        case Access::kImmutable:
            flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
            break;
    }
    sqlite3* db = nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &db, flags, nullptr);
    db_.reset(db);
    if (code != SQLITE_OK) fail(code, "cannot open");
    sqlite3_busy_timeout(db, 5000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
}

Connection::~Connection() = default;

void Connection::fail(int code, const std::string& what) const {
    sqlite3* db = db_.get();
    const bool system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN ||
                        (code & 0xff) == SQLITE_FULL;
    const int os_error = system ? os_error_of(db) : 0;
    const Status status = status_of(code, os_error);
    std::string text = "store \"" + label_ + "\": " + what + ": " + sqlite3_errstr(code) +
                       " (sqlite " + std::to_string(code);
    if (os_error != 0) text += std::string(", ") + std::strerror(os_error);
    throw Error(status, "sqlite", text + ")" + advice(status), -1, os_error);
}

void Connection::exec(const char* sql) {
    const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK)
        fail(code, std::string("cannot run \"") + std::string(sql).substr(0, 40) + "\"");
}

int64_t Connection::read_number(const char* sql) {
    Query query(*this, sql);
    return query.step() ? query.number(0) : 0;
}

void Connection::leave_transaction() {
    if (!sqlite3_get_autocommit(db_.get())) exec("ROLLBACK");
}

int64_t Connection::last_row_id() const {
    return sqlite3_last_insert_rowid(db_.get());
}
int64_t Connection::changed_rows() const {
    return sqlite3_changes64(db_.get());
}

void Connection::copy_to(const std::string& file, const CallControl& control) const {
    constexpr int kPagesAtOnce = 512;
    const Connection target(file, Access::kReadWrite, label_);
    sqlite3_exec(target.db_.get(), "PRAGMA synchronous=OFF", nullptr, nullptr, nullptr);
    sqlite3_backup* backup = sqlite3_backup_init(target.db_.get(), "main", db_.get(), "main");
    if (backup == nullptr) target.fail(sqlite3_extended_errcode(target.db_.get()), "cannot copy");
    const auto ended = [](sqlite3_backup* b) { sqlite3_backup_finish(b); };
    std::unique_ptr<sqlite3_backup, decltype(ended)> guard(backup, ended);
    for (int code = SQLITE_OK; code != SQLITE_DONE;) {
        code = sqlite3_backup_step(backup, kPagesAtOnce);
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
            sqlite3_sleep(5);
            code = SQLITE_OK;
        }
        if (code != SQLITE_OK && code != SQLITE_DONE) target.fail(code, "cannot copy");
        const int total = sqlite3_backup_pagecount(backup);
        control.report(static_cast<uint64_t>(total - sqlite3_backup_remaining(backup)),
                       static_cast<uint64_t>(total));
    }
}

sqlite3_file* Connection::file() const {
    sqlite3_file* file = nullptr;
    const int code = sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (code != SQLITE_OK || file == nullptr || file->pMethods == nullptr)
        fail(code == SQLITE_OK ? SQLITE_MISUSE : code, "cannot get at the file");
    return file;
}

void Connection::read_file(void* to, size_t size, uint64_t offset) const {
    sqlite3_file* const f = file();
    const int code =
        f->pMethods->xRead(f, to, static_cast<int>(size), static_cast<sqlite3_int64>(offset));
    if (code == SQLITE_IOERR_SHORT_READ) fail(SQLITE_CORRUPT, "cannot read the file to its end");
    if (code != SQLITE_OK) fail(code, "cannot read the file");
}

void Connection::write_file(const void* from, size_t size, uint64_t offset) {
    sqlite3_file* const f = file();
    const int code =
        f->pMethods->xWrite(f, from, static_cast<int>(size), static_cast<sqlite3_int64>(offset));
    if (code != SQLITE_OK) fail(code, "cannot write the file");
}

void Connection::sync_file() {
    sqlite3_file* const f = file();
    const int code = f->pMethods->xSync(f, SQLITE_SYNC_NORMAL);
    if (code != SQLITE_OK) fail(code, "cannot sync the file");
}

void Connection::drop_cached_pages() {
    sqlite3_db_release_memory(db_.get());
}

void Connection::close() {
    idle_.clear();
    const int code = sqlite3_close(db_.get());
    if (code != SQLITE_OK) fail(code, "cannot close");
    (void)db_.release();
}

SqliteStatement Connection::take(const char* sql) {
    if (const auto found = idle_.find(sql); found != idle_.end() && !found->second.empty()) {
        SqliteStatement statement = std::move(found->second.back());
        found->second.pop_back();
        return statement;
    }
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    SqliteStatement owned(statement);
    if (code != SQLITE_OK) fail(code, "cannot prepare a statement");
    return owned;
}

void Connection::give_back(const char* sql, SqliteStatement statement) {
    auto& idle = idle_[sql];
    if (idle.size() < 2) idle.push_back(std::move(statement));
}

Query::Query(Connection& connection, const char* sql)
    : connection_(connection), sql_(sql), statement_(connection.take(sql)) {}

Query::~Query() {
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
    try {
        connection_.give_back(sql_, std::move(statement_));
    } catch (...) {  // no memory to keep it: it is finalised instead
    }
}

Query& Query::bind(int64_t value) {
    RPT_CHECK(sqlite3_bind_int64(statement_.get(), ++n_bound_, value) == SQLITE_OK);
    return *this;
}

Query& Query::bind_text(std::string_view value) {
    const int code =
        sqlite3_bind_text64(statement_.get(), ++n_bound_, value.data() ? value.data() : "",
                            value.size(), SQLITE_STATIC, SQLITE_UTF8);
    if (code != SQLITE_OK) connection_.fail(code, "cannot pass a text");
    return *this;
}

Query& Query::bind_blob(std::string_view value) {
    const int code =
        sqlite3_bind_blob64(statement_.get(), ++n_bound_, value.data() ? value.data() : "",
                            value.size(), SQLITE_STATIC);
    if (code != SQLITE_OK) connection_.fail(code, "cannot pass bytes");
    return *this;
}

Query& Query::bind_null() {
    RPT_CHECK(sqlite3_bind_null(statement_.get(), ++n_bound_) == SQLITE_OK);
    return *this;
}

bool Query::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    connection_.fail(code,
                     sqlite3_stmt_readonly(statement_.get()) ? "cannot read" : "cannot write");
}

void Query::run() {
    while (step()) {
    }
}

void Query::reset() {
    sqlite3_reset(statement_.get());
    n_bound_ = 0;
}

int64_t Query::number(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

uint32_t Query::count32(int column, uint32_t most) const {
    const uint64_t value = count(column);
    if (value > most)
        throw Error(Status::kCorrupt, "rpt",
                    "store \"" + connection_.label() + "\": column " +
                        sqlite3_column_name(statement_.get(), column) + " holds " +
                        std::to_string(value) + ", above " + std::to_string(most) +
                        "; restore a backup");
    return static_cast<uint32_t>(value);
}

std::string_view Query::blob(int column) const {
    const void* data = sqlite3_column_blob(statement_.get(), column);
    const int size = sqlite3_column_bytes(statement_.get(), column);
    if (data == nullptr) return {};
    return {static_cast<const char*>(data), static_cast<size_t>(size)};
}

bool Query::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

Transaction::Transaction(Connection& connection, Kind kind) : connection_(connection) {
    connection.leave_transaction();
    connection.exec(kind == Kind::kRead ? "BEGIN" : "BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
    if (open_) sqlite3_exec(connection_.db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
    const int code = sqlite3_exec(connection_.db_.get(), "COMMIT", nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) connection_.fail(code, "cannot commit");
    open_ = false;
}

}  // namespace rpt::storage
