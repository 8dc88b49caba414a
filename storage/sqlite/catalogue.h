// Rows of spaces and documents: read with their checksums proven, written with new ones. One
// connection, one thread; inside the caller's transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "storage/index/key_source.h"
#include "storage/sqlite/sqlite_connection.h"
#include "storage/store.h"

namespace rpt::storage {

struct SpaceRow {
    uint64_t id = 0;
    std::string owner, collection;
    uint64_t generation = 0;  // the store's generation when the space last changed
    uint64_t digest = 0;      // of its visible chunks
    uint64_t budget = 0;      // bytes on disk; 0: none
    // Of all its segments, visible or not, as bytes of the encoded forms.
    uint64_t chunks = 0, tokens = 0, text_disk = 0, state_disk = 0;

    SpaceMark mark() const { return {generation, digest}; }
};

struct DocumentRow {
    DocumentInfo info;
    uint64_t space = 0;
    bool pending = false;  // a replacement that is not finished: seen by its writer only
    uint64_t places = 0;   // digest of its list of segments
    uint32_t levels = 0;   // of sums over that list (place_sums.h)
};

std::optional<SpaceRow> find_space(Connection& connection, std::string_view owner,
                                   std::string_view collection);
std::optional<SpaceRow> read_space(Connection& connection, uint64_t id);
void list_space_rows(Connection& connection, const std::function<bool(const SpaceRow&)>& visit);
SpaceRow insert_space(Connection& connection, std::string_view owner, std::string_view collection);
// Counts the store's generation up; the space gets it and its row is written, if that is still
// there (else false).
bool touch_space(Connection& connection, SpaceRow& space);

std::optional<DocumentRow> find_document_row(Connection& connection, uint64_t space,
                                             std::string_view key, bool pending);
std::optional<DocumentRow> read_document_row(Connection& connection, uint64_t id);
// Visible documents of a space with a key after `after_key`.
void list_document_rows(Connection& connection, uint64_t space, std::string_view after_key,
                        const std::function<bool(const DocumentRow&)>& visit);
void insert_document(Connection& connection, DocumentRow& row);
// False if the row is gone.
bool update_document(Connection& connection, const DocumentRow& row);
// As read_document_row(), of a database of format 2 or 3, whose rows have no levels.
DocumentRow read_older_document_row(Connection& connection, uint64_t id);
// The row alone.
void erase_document_row(Connection& connection, uint64_t id);

}  // namespace rpt::storage
