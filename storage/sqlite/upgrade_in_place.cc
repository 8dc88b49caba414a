#include "storage/sqlite/upgrade_in_place.h"

#include <cstring>
#include <vector>

#include "base/byte_order.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/place_sums.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/segment_table.h"

namespace rpt::storage {
namespace {

// The binding as these formats have it: format 2 knows no width of keys.
ModelBinding older_binding(Connection& connection, uint32_t version) {
    ModelBinding model;
    Query query(connection, version == 2
                                ? "SELECT fingerprint, dim, chunk_tokens, context_tokens, seal, 0 "
                                  "FROM store WHERE one = 1"
                                : "SELECT fingerprint, dim, chunk_tokens, context_tokens, seal, "
                                  "key_dim FROM store WHERE one = 1");
    bool good = query.step() && query.blob(0).size() == model.fingerprint.size();
    if (good) {
        std::memcpy(model.fingerprint.data(), query.blob(0).data(), model.fingerprint.size());
        model.dim = query.count32(1);
        model.chunk_tokens = query.count32(2);
        model.context_tokens = query.count32(3);
        model.key_dim = query.count32(5);
        ByteWriter bytes;
        bytes.raw(model.fingerprint.data(), model.fingerprint.size()).u32(model.dim);
        bytes.u32(model.chunk_tokens).u32(model.context_tokens);
        if (version != 2) bytes.u32(model.key_dim);
        good = crc32c(bytes.str().data(), bytes.str().size()) == query.count(4);
    }
    if (!good)
        throw Error(Status::kCorrupt, "rpt",
                    "store \"" + connection.label() +
                        "\": checksum of the model's binding differs; restore a backup");
    return model;
}

// A table that lost rows has no seal that could tell.
void check_structure(Connection& connection) {
    Query query(connection, "PRAGMA integrity_check(1)");
    if (query.step() && query.blob(0) == "ok") return;
    throw Error(Status::kCorrupt, "rpt",
                "store \"" + connection.label() +
                    "\": its database is damaged; the store stays as it was, restore a backup");
}

// What formats 2 and 3 lack.
void add_place_sums(Connection& connection, const CallControl& control) {
    std::vector<DocumentRow> rows;
    {
        std::vector<uint64_t> ids;
        Query query(connection, "SELECT id FROM documents ORDER BY id");
        while (query.step()) ids.push_back(query.count(0));
        for (const uint64_t id : ids) rows.push_back(read_older_document_row(connection, id));
    }
    connection.exec(kPlaceSumsTable);
    connection.exec("ALTER TABLE documents ADD COLUMN levels INTEGER NOT NULL DEFAULT 0");
    for (size_t i = 0; i < rows.size(); ++i) {
        control.report(i, rows.size());
        DocumentRow& row = rows[i];
        const std::vector<Place> places = list_places(connection, row.info.id, row.places);
        row.levels = levels_for(places.size());
        build_place_sums(connection, row.info.id, places, 0, row.levels);
        update_document(connection, row);
    }
}

}  // namespace

void upgrade_in_place(Connection& connection, uint32_t version, const CallControl& control) {
    Transaction transaction(connection, Transaction::Kind::kWrite);
    check_structure(connection);
    const ModelBinding model = older_binding(connection, version);
    if (version == 2)
        connection.exec("ALTER TABLE store ADD COLUMN key_dim INTEGER NOT NULL DEFAULT 0");
    connection.exec("ALTER TABLE store ADD COLUMN pointer_dim INTEGER NOT NULL DEFAULT 0");
    Query(connection, "UPDATE store SET key_dim = ?, seal = ?")
        .bind(model.key_width())
        .bind(seal_of(model))
        .run();
    if (version < 4) add_place_sums(connection, control);
    connection.exec(kPointersTable);
    connection.exec(("PRAGMA user_version=" + std::to_string(kFormatVersion)).c_str());
    control.check();
    transaction.commit();
}

}  // namespace rpt::storage
