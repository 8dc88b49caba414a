#include "storage/sqlite/schema.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/atomic_file.h"
#include "base/byte_order.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/ordinary_file.h"

namespace rpt::storage {
namespace {

// docs/format/store.md explains every column. AUTOINCREMENT: numbers are never used again.
constexpr const char* kTables = R"sql(
CREATE TABLE store(
    one INTEGER PRIMARY KEY CHECK (one = 1), fingerprint BLOB NOT NULL, dim INTEGER NOT NULL,
    chunk_tokens INTEGER NOT NULL, context_tokens INTEGER NOT NULL, seal INTEGER NOT NULL,
    generation INTEGER NOT NULL, budget INTEGER NOT NULL, key_dim INTEGER NOT NULL,
    pointer_dim INTEGER NOT NULL) STRICT;
CREATE TABLE spaces(
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, collection TEXT NOT NULL,
    generation INTEGER NOT NULL, digest INTEGER NOT NULL, budget INTEGER NOT NULL, chunks INTEGER NOT NULL,
    tokens INTEGER NOT NULL, text_disk INTEGER NOT NULL, state_disk INTEGER NOT NULL, seal INTEGER NOT NULL,
    UNIQUE(owner, collection)) STRICT;
CREATE TABLE documents(
    id INTEGER PRIMARY KEY AUTOINCREMENT, space_id INTEGER NOT NULL REFERENCES spaces(id), key TEXT NOT NULL,
    pending INTEGER NOT NULL, revision INTEGER NOT NULL, uri TEXT NOT NULL, meta TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, bytes_searchable INTEGER NOT NULL,
    tokens INTEGER NOT NULL, chunks INTEGER NOT NULL, flags INTEGER NOT NULL, content_hash BLOB NOT NULL,
    places INTEGER NOT NULL, levels INTEGER NOT NULL, seal INTEGER NOT NULL,
    UNIQUE(space_id, key, pending)) STRICT;
CREATE INDEX documents_pending ON documents(id) WHERE pending = 1;
CREATE TABLE segments(
    id INTEGER PRIMARY KEY AUTOINCREMENT, space_id INTEGER NOT NULL, identity BLOB, standing INTEGER NOT NULL,
    bytes INTEGER NOT NULL, n_tokens INTEGER NOT NULL, n_chunks INTEGER NOT NULL, flags INTEGER NOT NULL,
    seal INTEGER NOT NULL, text_seal INTEGER NOT NULL, text BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX segments_by_identity ON segments(space_id, identity) WHERE identity IS NOT NULL;
CREATE INDEX segments_unseen ON segments(space_id, standing, id) WHERE standing < 2;
CREATE TABLE places(
    document_id INTEGER NOT NULL, place INTEGER NOT NULL, segment_id INTEGER NOT NULL REFERENCES segments(id),
    bytes INTEGER NOT NULL, n_chunks INTEGER NOT NULL, PRIMARY KEY(document_id, place)) STRICT, WITHOUT ROWID;
CREATE INDEX places_by_segment ON places(segment_id, document_id, place);
CREATE TABLE chunks(
    id INTEGER PRIMARY KEY AUTOINCREMENT, space_id INTEGER NOT NULL,
    segment_id INTEGER NOT NULL REFERENCES segments(id), ordinal INTEGER NOT NULL, byte_begin INTEGER NOT NULL,
    byte_end INTEGER NOT NULL, provisional INTEGER NOT NULL, n_tokens INTEGER NOT NULL, used INTEGER NOT NULL,
    state_disk INTEGER NOT NULL, key_seal INTEGER NOT NULL, tokens_seal INTEGER NOT NULL, key BLOB NOT NULL,
    tokens BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX chunks_by_place ON chunks(segment_id, ordinal);
CREATE INDEX chunks_by_space ON chunks(space_id, id, segment_id, key_seal);
CREATE INDEX chunks_by_use ON chunks(space_id, used, id, state_disk) WHERE state_disk > 0;
CREATE TABLE states(chunk_id INTEGER PRIMARY KEY, seal INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
)sql";

void fill(Connection& connection, const ModelBinding& model) {
    connection.exec(
        "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; "
        "PRAGMA "
        "secure_delete=ON");
    Transaction transaction(connection, Transaction::Kind::kWrite);
    connection.exec(("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str());
    connection.exec(("PRAGMA user_version=" + std::to_string(kFormatVersion)).c_str());
    connection.exec(kTables);
    connection.exec(kPlaceSumsTable);
    connection.exec(kPointersTable);
    const std::string_view fingerprint(reinterpret_cast<const char*>(model.fingerprint.data()), 32);
    Query(
        connection,
        "INSERT INTO store(one, fingerprint, dim, chunk_tokens, context_tokens, seal, generation, "
        "budget, key_dim, pointer_dim) VALUES(1, ?, ?, ?, ?, ?, 1, 0, ?, ?)")
        .bind_blob(fingerprint)
        .bind(model.dim)
        .bind(model.chunk_tokens)
        .bind(model.context_tokens)
        .bind(seal_of(model))
        .bind(model.key_width())
        .bind(model.pointer_dim)
        .run();
    transaction.commit();
}

}  // namespace

const char* const kPlaceSumsTable = R"sql(
CREATE TABLE place_sums(
    document_id INTEGER NOT NULL, level INTEGER NOT NULL, node INTEGER NOT NULL, n_places INTEGER NOT NULL,
    bytes INTEGER NOT NULL, n_chunks INTEGER NOT NULL, digest INTEGER NOT NULL, seal INTEGER NOT NULL,
    PRIMARY KEY(document_id, level, node)) STRICT, WITHOUT ROWID;
)sql";

const char* const kPointersTable = R"sql(
CREATE TABLE pointers(chunk_id INTEGER PRIMARY KEY, seal INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
)sql";

uint32_t seal_of(const ModelBinding& model) {
    ByteWriter bytes;
    bytes.raw(model.fingerprint.data(), model.fingerprint.size())
        .u32(model.dim)
        .u32(model.chunk_tokens)
        .u32(model.context_tokens)
        .u32(model.key_width())
        .u32(model.pointer_dim);
    return crc32c(bytes.str().data(), bytes.str().size());
}

void make_empty_file(const std::string& file, mode_t mode) {
    const OrdinaryFile made(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
}

void write_database(const std::string& file, const std::string& label, const ModelBinding& model,
                    mode_t mode) {
    const auto clean = [&] {
        for (const char* tail : {"", "-journal"}) ::unlink((file + tail).c_str());
    };
    clean();
    try {
        make_empty_file(file, mode);
        Connection connection(file, Connection::Access::kReadWrite, label);
        fill(connection, model);
        connection.close();
    } catch (...) {
        clean();
        throw;
    }
}

void publish_database(const std::string& fresh, const std::string& file) {
    sync_file(fresh);
    if (::rename(fresh.c_str(), file.c_str()) != 0) {
        const int code = errno;
        ::unlink(fresh.c_str());
        throw Error(Status::kIo, "os", "cannot rename \"" + fresh + "\": " + std::strerror(code),
                    -1, code);
    }
    sync_folder(file.substr(0, file.rfind('/')));
}

void create_database(const std::string& file, const std::string& label, const ModelBinding& model) {
    // Under another name until it is whole, so that an empty store.sqlite is always damage and
    // never a beginning.
    const std::string fresh = file + ".new";
    write_database(fresh, label, model, 0600);
    publish_database(fresh, file);
}

ModelBinding verify_database(Connection& connection) {
    const std::string store = "store \"" + connection.label() + "\"";
    if (static_cast<uint32_t>(connection.read_number("PRAGMA application_id")) != kApplicationId)
        throw Error(Status::kCorrupt, "rpt",
                    store + ": store.sqlite is not a store of this library; restore a backup");
    const auto version = static_cast<uint32_t>(connection.read_number("PRAGMA user_version"));
    if (version != kFormatVersion)
        throw Error(Status::kVersion, "rpt",
                    store + " has format " + std::to_string(version) +
                        ", this library reads format " + std::to_string(kFormatVersion) +
                        (version > kFormatVersion ? "; update the library"
                                                  : "; upgrade it (rpt memory upgrade)"));
    ModelBinding model;
    Query query(connection,
                "SELECT fingerprint, dim, chunk_tokens, context_tokens, seal, key_dim, "
                "pointer_dim FROM store WHERE one = 1");
    bool good = query.step() && query.blob(0).size() == model.fingerprint.size();
    if (good) {
        std::memcpy(model.fingerprint.data(), query.blob(0).data(), model.fingerprint.size());
        model.dim = query.count32(1);
        model.chunk_tokens = query.count32(2);
        model.context_tokens = query.count32(3);
        model.key_dim = query.count32(5);
        model.pointer_dim = query.count32(6);
        good = seal_of(model) == query.count32(4) && model.dim > 0 &&
               model.chunk_tokens > 0 && model.key_dim > 0;
    }
    if (!good)
        throw Error(Status::kCorrupt, "rpt",
                    store + ": checksum of the model's binding differs; restore a backup");
    return model;
}

void configure_reader(Connection& connection) {
    connection.exec(
        "PRAGMA query_only=ON; PRAGMA cell_size_check=ON; PRAGMA cache_size=-4000; PRAGMA "
        "temp_store=MEMORY");
}

void configure_writer(Connection& connection, Durability durability) {
    connection.exec(
        "PRAGMA journal_mode=WAL; PRAGMA secure_delete=ON; PRAGMA foreign_keys=ON; PRAGMA "
        "cell_size_check=ON;"
        "PRAGMA cache_size=-8000; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=4000;"
        "PRAGMA journal_size_limit=67108864");
    switch (durability) {
        case Durability::kFlush:
            connection.exec("PRAGMA synchronous=FULL");
            break;
        case Durability::kNormal:
            connection.exec("PRAGMA synchronous=NORMAL");
            break;
        case Durability::kNone:
            connection.exec("PRAGMA synchronous=OFF");
            break;
    }
}

}  // namespace rpt::storage
