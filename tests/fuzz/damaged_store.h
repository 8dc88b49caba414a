// A small store whose database is damaged as an input says.
#pragma once

#include <sqlite3.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/store.h"
#include "tests/fakes/synthetic_segments.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/input_bytes.h"
#include "tests/fuzz/scratch_folder.h"

namespace rpt::fuzz {

inline constexpr synthetic::Shape kShape{8, 4, 0, 5};

// One space of three documents: two share a segment, one is unfinished.
inline std::string make_database(const ScratchFolder& folder) {
    storage::StoreOptions options;
    options.create = true;
    options.durability = storage::Durability::kNone;
    options.model = synthetic::model_of(kShape);
    const auto store = storage::Store::open(folder.path("template"), options);
    const auto space = store->open_space("owner", "notes", true);
    using synthetic::SegmentName;
    const std::vector<std::vector<SegmentName>> documents = {
        {{1, 2}, {2, 3}}, {{2, 3}, {3, 1}}, {{4, 2}, {5, 2, true}}};
    for (size_t i = 0; i < documents.size(); ++i) {
        storage::DocumentSpec spec;
        spec.key = "doc" + std::to_string(i);
        spec.uri = "file:" + spec.key;
        spec.meta_json = "{}";
        spec.timestamp_ms = 1;
        const auto writer = space->begin_document(spec);
        for (size_t n = 0; n < documents[i].size(); ++n) {
            storage::Edit edit;
            edit.first = n;
            edit.segments = {synthetic::segment_of(documents[i][n], kShape)};
            edit.segments[0].known = space->has_segment(edit.segments[0].identity);
            edit.finish = i < 2 && n + 1 == documents[i].size();
            if (edit.finish) edit.content_hash = synthetic::hash_of(documents[i]);
            expect(!writer->commit(edit), "a segment was lost");
        }
    }
    store->close();
    std::ifstream in(folder.path("template/store.sqlite"), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

namespace damage {

inline const char* const kTables[] = {"store",  "spaces", "documents",       "segments", "places",
                                      "chunks", "states", "sqlite_sequence", "pointers"};

// A value of a row becomes another one: the database stays sound, what it says does not.
inline void change_value(sqlite3* database, InputBytes& in) {
    const std::string table = kTables[in.below(std::size(kTables))];
    const std::string row = std::to_string(in.below(12));
    sqlite3_stmt* columns = nullptr;
    if (sqlite3_prepare_v2(database, ("SELECT * FROM " + table + " LIMIT 1 OFFSET " + row).c_str(),
                           -1, &columns, nullptr) != SQLITE_OK)
        return;
    const int n = sqlite3_column_count(columns);
    const int column = n > 0 ? int(in.below(uint64_t(n))) : 0;
    const std::string name = n > 0 ? sqlite3_column_name(columns, column) : "";
    std::string old;
    if (sqlite3_step(columns) == SQLITE_ROW && sqlite3_column_blob(columns, column) != nullptr)
        old.assign(static_cast<const char*>(sqlite3_column_blob(columns, column)),
                   size_t(sqlite3_column_bytes(columns, column)));
    sqlite3_finalize(columns);
    const bool keyed = table == "places";  // has no rowid
    const std::string key = keyed ? "(document_id, place)" : "rowid";
    const std::string which = keyed ? "document_id, place" : "rowid";
    const std::string where = " WHERE " + key + " IN (SELECT " + which + " FROM " + table +
                              " LIMIT 1 OFFSET " + row + ")";
    const uint64_t kind = in.below(6);
    const std::string sql = kind == 5 ? "DELETE FROM " + table + where
                                      : "UPDATE " + table + " SET " + name + " = ?" + where;
    sqlite3_stmt* change = nullptr;
    if (sqlite3_prepare_v2(database, sql.c_str(), -1, &change, nullptr) != SQLITE_OK) return;
    switch (kind) {
        case 0:
            sqlite3_bind_int64(change, 1, int64_t(in.below(16)) - 4);
            break;
        case 1:
            sqlite3_bind_int64(change, 1, int64_t(in.number(8)));
            break;
        case 2: {
            const std::string_view bytes = in.take(in.below(40));
            sqlite3_bind_blob(change, 1, bytes.data(), int(bytes.size()), SQLITE_TRANSIENT);
            break;
        }
        case 3: {
            const std::string_view bytes = in.take(in.below(40));
            sqlite3_bind_text(change, 1, bytes.data(), int(bytes.size()), SQLITE_TRANSIENT);
            break;
        }
        case 4: {
            if (!old.empty()) {
                char& byte = old[in.below(old.size())];
                byte = char(byte ^ char(in.byte()));
            }
            sqlite3_bind_blob(change, 1, old.data(), int(old.size()), SQLITE_TRANSIENT);
            break;
        }
        default:
            break;
    }
    sqlite3_step(change);
    sqlite3_finalize(change);
}

// Bytes of the file change, or pages of it trade places, or its end is cut off.
inline void change_bytes(std::string& file, InputBytes& in) {
    constexpr size_t kPage = 4096, kHeader = 112;  // of a page, with cell pointers
    if (file.size() < kPage) return;
    const size_t pages = file.size() / kPage;
    switch (in.below(5)) {
        case 0: {
            const size_t at = in.below(file.size());
            const std::string_view bytes = in.take(in.below(16) + 1);
            file.replace(at, std::min(bytes.size(), file.size() - at),
                         bytes.substr(0, file.size() - at));
            break;
        }
        case 1: {
            const size_t at = in.below(pages) * kPage + in.below(kHeader);
            file[at] = char(in.byte());
            break;
        }
        case 2: {
            const size_t from = in.below(pages) * kPage, to = in.below(pages) * kPage;
            std::memmove(file.data() + to, file.data() + from, kPage);
            break;
        }
        case 3: {
            const size_t at = in.below(pages) * kPage;
            std::memset(file.data() + at, in.byte(), kPage);
            break;
        }
        default:
            file.resize(in.below(file.size() + 1));
    }
}

}  // namespace damage

// The folder of a store whose database is `whole` with the damage that `in` says: a number of
// changed values, then changes of bytes.
inline std::string damage_store(const ScratchFolder& folder, const std::string& whole,
                                InputBytes& in) {
    const std::string path = folder.path("store"), file = path + "/store.sqlite";
    std::filesystem::remove_all(path);
    std::filesystem::create_directory(path);
    folder.write("store/store.sqlite", whole);
    if (const uint64_t n = in.below(4); n > 0) {
        sqlite3* database = nullptr;
        if (sqlite3_open(file.c_str(), &database) != SQLITE_OK) report("cannot open", file.c_str());
        sqlite3_exec(database, "PRAGMA synchronous=OFF", nullptr, nullptr, nullptr);
        for (uint64_t i = 0; i < n; ++i) damage::change_value(database, in);
        sqlite3_close(database);
    }
    if (const uint64_t n = in.below(4); n > 0) {
        std::ifstream stream(file, std::ios::binary);
        std::string bytes{std::istreambuf_iterator<char>(stream), {}};
        for (uint64_t i = 0; i < n; ++i) damage::change_bytes(bytes, in);
        folder.write("store/store.sqlite", bytes);
    }
    return path;
}

}  // namespace rpt::fuzz
