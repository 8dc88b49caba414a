// How a store is opened, closed, synced and destroyed.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "base/error.h"
#include "base/ordinary_file.h"
#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/sqlite_backend.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {

void StoreImpl::open_for_writing() {
    const bool existed = directory_.holds_store();
    if (!existed && !options_.create)
        throw Error(Status::kNotFound, "rpt",
                    "there is no store in \"" + path() + "\"; create it or check the path");
    if (!existed && !options_.model)
        throw Error(Status::kArgument, "rpt", "a new store needs the model that will write it");
    const bool made_folder = !existed && directory_.make();
    bool ours = false;  // the folder and all in it came from this call
    try {
        lock_ = directory_.lock_for_writing();
        const bool exists = directory_.holds_store();  // now that nobody else can make it
        if (exists && options_.exclusive)
            throw Error(Status::kExists, "rpt", "there is a store in \"" + path() + "\" already");
        ours = made_folder && !exists;
        if (!exists) create_database(directory_.database(), path(), *options_.model);
        writer_ = std::make_unique<Connection>(directory_.database(),
                                               Connection::Access::kReadWrite, path());
        model_ = verify_database(*writer_);
        check_model();
        configure_writer(*writer_, options_.durability);
        directory_.make_index_folder();
        directory_.remove_unfinished_index_files();
        budget_ = static_cast<uint64_t>(writer_->read_number("SELECT budget FROM store"));
        evicts_ = budget_ != 0 || writer_->read_number(
                                      "SELECT EXISTS(SELECT 1 FROM spaces WHERE budget != 0)") != 0;
        erase_unfinished_replacements();
    } catch (...) {
        writer_.reset();
        if (ours) directory_.remove_files();
        throw;
    }
}

void StoreImpl::open_for_reading() {
    if (!directory_.holds_store())
        throw Error(Status::kNotFound, "rpt",
                    "there is no store in \"" + path() + "\"; check the path");
    lock_ = directory_.lock_for_reading();
    try {
        ConnectionPool::Lease lease(readers_);
        model_ = verify_database(*lease);
    } catch (const Error& error) {
        if (error.status() != Status::kIo && error.status() != Status::kReadOnly) throw;
        // Where the folder can be written it was the machine that failed: a writer may be at work.
        if (::access(path().c_str(), W_OK) == 0) throw;
        // SQLite wants to make its shared files beside the database and may not. Without a log to
        // merge the database is whole by itself, and nobody can write it here.
        struct stat facts {};
        if (::stat(directory_.log().c_str(), &facts) == 0 && facts.st_size > 0)
            throw Error(Status::kReadOnly, "rpt",
                        "store \"" + path() +
                            "\" has a log that is not merged and its folder cannot be written; "
                            "open it once for writing "
                            "or copy it to a folder that can be written");
        readers_.read_immutable();
        ConnectionPool::Lease lease(readers_);
        model_ = verify_database(*lease);
    }
    check_model();
}

void StoreImpl::check_model() {
    if (!options_.model) return;
    const ModelBinding& wanted = *options_.model;
    if (wanted.fingerprint != model_.fingerprint)
        throw Error(Status::kModelMismatch, "rpt",
                    "store \"" + path() + "\" was written with model " +
                        to_hex(model_.fingerprint) + ", opened with model " +
                        to_hex(wanted.fingerprint) + "; open it with its own model");
    if (wanted.dim != model_.dim || wanted.key_width() != model_.key_width() ||
        wanted.chunk_tokens != model_.chunk_tokens || wanted.pointer_dim != model_.pointer_dim)
        throw Error(Status::kModelMismatch, "rpt",
                    "store \"" + path() + "\" has states of " + std::to_string(model_.dim) +
                        " values, keys of " + std::to_string(model_.key_width()) +
                        ", pointer keys of " + std::to_string(model_.pointer_dim) +
                        " and chunks of " + std::to_string(model_.chunk_tokens) +
                        " tokens, model " + to_hex(wanted.fingerprint) + " has " +
                        std::to_string(wanted.dim) + ", " + std::to_string(wanted.key_width()) +
                        ", " + std::to_string(wanted.pointer_dim) + " and " +
                        std::to_string(wanted.chunk_tokens));
}

void StoreImpl::erase_unfinished_replacements() {
    std::vector<uint64_t> documents;
    {
        Query query(*writer_, "SELECT id FROM documents WHERE pending = 1");
        while (query.step()) documents.push_back(query.count(0));
    }
    if (documents.empty()) return;
    try {
        for (const uint64_t document : documents)
            if (const auto row = read_document_row(*writer_, document)) erase_pending(*row);
    } catch (const Error& error) {
        // Nobody sees them; a full disk must not keep the store closed.
        if (error.status() != Status::kNoSpace) throw;
    }
}

void StoreImpl::sync() {
    require_writable();
    const std::lock_guard guard(writer_mutex_);
    if (!writer_)
        throw Error(Status::kState, "rpt", "store \"" + path() + "\" is closed; open it again");
    if (options_.durability == Durability::kFlush) return;  // every commit was synced
    // A synced commit takes all before it in the log to the disk, the checkpoint what is in the
    // database already.
    writer_->leave_transaction();
    writer_->exec("PRAGMA synchronous=FULL");
    try {
        Transaction transaction(*writer_, Transaction::Kind::kWrite);
        ++n_writes_;
        writer_->exec("UPDATE store SET generation = generation + 1");
        transaction.commit();
        writer_->exec("PRAGMA wal_checkpoint(PASSIVE)");
    } catch (...) {
        writer_->exec(options_.durability == Durability::kNormal ? "PRAGMA synchronous=NORMAL"
                                                                 : "PRAGMA synchronous=OFF");
        throw;
    }
    writer_->exec(options_.durability == Durability::kNormal ? "PRAGMA synchronous=NORMAL"
                                                             : "PRAGMA synchronous=OFF");
}

void StoreImpl::close() {
    if (closed_.exchange(true)) return;
    builder_.stop();
    if (!options_.read_only) {
        const std::lock_guard guard(indexes_mutex_);
        for (const auto& [space, index] : indexes_) index->save_cache(budget_ != 0);
    }
    readers_.close();
    states_.clear();
    pointers_.clear();
    words_.clear();
    const std::lock_guard guard(writer_mutex_);
    if (writer_) {
        const std::unique_ptr<Connection> writer = std::move(writer_);
        const std::unique_ptr<FileLock> lock =
            std::move(lock_);  // freed after the connection, also on failure
        writer->leave_transaction();
        writer->exec(
            "PRAGMA synchronous=FULL; PRAGMA busy_timeout=50; PRAGMA wal_checkpoint(TRUNCATE)");
        writer->close();
    }
    lock_.reset();
}

void destroy_store(const std::string& path) {
    const StoreDirectory directory(path);
    if (!directory.holds_store())
        throw Error(Status::kNotFound, "rpt",
                    "there is no store in \"" + path + "\"; check the path");
    const auto lock = directory.lock_for_destroying();
    // The header by hand: a store too damaged to open can be destroyed. Nobody has it open, so no
    // lock is lost by this.
    unsigned char header[72] = {};
    {
        const OrdinaryFile file(directory.database(), O_RDONLY | O_NOFOLLOW);
        if (::pread(file.fd(), header, sizeof header, 0) != sizeof header) header[0] = 0;
    }
    const uint32_t id = uint32_t(header[68]) << 24 | uint32_t(header[69]) << 16 |
                        uint32_t(header[70]) << 8 | header[71];
    if (std::memcmp(header, "SQLite format 3", 16) != 0 || id != kApplicationId)
        throw Error(Status::kCorrupt, "rpt",
                    "\"" + path + "\" does not hold a store of this library; remove it by hand");
    directory.remove_files();
}

}  // namespace rpt::storage
