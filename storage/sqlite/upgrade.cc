// Stores of older formats. Format 1 had documents with pages of text and a row of chunks, shared
// with nobody: it is copied. Later ones get what they lack where they stand (upgrade_in_place.h).
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/atomic_file.h"
#include "base/byte_order.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/chunk_table.h"
#include "storage/sqlite/place_sums.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/segment_table.h"
#include "storage/sqlite/sqlite_backend.h"
#include "storage/sqlite/store_directory.h"
#include "storage/sqlite/upgrade_in_place.h"

namespace rpt::storage {
namespace {

constexpr uint64_t kPageBytes = 65536;
constexpr size_t kChunksOfSegment = 16;
constexpr uint64_t kContextChunks =
    1;  // what stores of format 2 were made with when this was written

int64_t sql(uint64_t value) {
    return static_cast<int64_t>(value);
}

[[noreturn]] void fail(const Connection& connection, const std::string& what) {
    throw Error(Status::kCorrupt, "rpt",
                "store \"" + connection.label() + "\": " + what +
                    "; the store stays as it was, restore a backup");
}

uint32_t seal_part(uint8_t kind, std::initializer_list<uint64_t> place, std::string_view blob) {
    ByteWriter head;
    head.u8(kind);
    for (const uint64_t part : place) head.u64(part);
    return crc32c(blob.data(), blob.size(), crc32c(head.str().data(), head.str().size()));
}

struct OldDocument {
    uint64_t id = 0;
    bool text_discarded = false;
    std::string text;
};

struct OldChunk {
    uint64_t id = 0, ordinal = 0;
    ByteSpan bytes;
    bool provisional = false;
    uint64_t n_tokens = 0;
    std::string key, tokens, states;
};

// Copies one store; `from` is of format 1, `to` empty of the present one.
class Upgrade {
  public:
    Upgrade(Connection& from, Connection& to, const CallControl& control)
        : from_(from), to_(to), control_(control) {}

    void run() {
        check_structure();
        const auto total = static_cast<uint64_t>(
            from_.read_number("SELECT count(*) FROM documents WHERE pending = 0"));
        Query spaces(from_, "SELECT id, owner, collection, seal FROM spaces ORDER BY id");
        while (spaces.step()) {
            ByteWriter sealed;
            sealed.u64(spaces.count(0)).text(spaces.blob(1)).text(spaces.blob(2));
            if (crc32c(sealed.str().data(), sealed.str().size()) != spaces.count(3))
                fail(from_, "checksum of space " + std::to_string(spaces.count(0)) + " differs");
            SpaceRow space = insert_space(to_, spaces.blob(1), spaces.blob(2));
            Query documents(
                from_,
                "SELECT id, key, revision, uri, meta, timestamp_ms, bytes, flags, content_hash, "
                "bytes_searchable, tokens, chunks, text_disk, state_disk, seal "
                "FROM documents WHERE space_id = ? AND pending = 0 ORDER BY id");
            documents.bind(spaces.number(0));
            while (documents.step()) {
                control_.report(done_++, total);
                copy_document(documents, spaces.count(0), space);
            }
            touch_space(to_, space);
        }
    }

  private:
    // A row that an index or a table has lost has no seal that could tell.
    void check_structure() {
        Query query(from_, "PRAGMA integrity_check(1)");
        std::string found(query.step() ? query.blob(0) : "");
        std::ranges::replace(found, '\n', ' ');
        if (found != "ok") fail(from_, "its database is damaged (" + found + ")");
        control_.check();
        if (from_.read_number(
                "SELECT count(*) FROM documents WHERE space_id NOT IN (SELECT id FROM "
                "spaces) OR pending NOT IN (0, 1)") != 0)
            fail(from_, "a document belongs to no space");
    }

    // Columns of copy_document().
    void check_seal(const Query& query, uint64_t space) {
        ByteWriter sealed;
        sealed.u64(query.count(0)).u64(space).text(query.blob(1)).u8(0).u64(query.count(2));
        sealed.text(query.blob(3)).text(query.blob(4)).u64(query.count(5)).u64(query.count(6));
        sealed.u64(query.count(9)).u64(query.count(10)).u64(query.count(11)).u64(query.count(7));
        sealed.raw(query.blob(8).data(), query.blob(8).size())
            .u64(query.count(12))
            .u64(query.count(13));
        if (query.blob(8).size() != sizeof(Digest) ||
            crc32c(sealed.str().data(), sealed.str().size()) != query.count(14))
            fail(from_, "checksum of document " + std::to_string(query.count(0)) + " differs");
    }

    void copy_document(const Query& query, uint64_t old_space, SpaceRow& space) {
        check_seal(query, old_space);
        OldDocument old;
        old.id = query.count(0);
        DocumentRow row;
        row.space = space.id;
        row.info.key = query.blob(1);
        row.info.revision = query.count(2);
        row.info.uri = query.blob(3);
        row.info.meta_json = query.blob(4);
        row.info.timestamp_ms = query.number(5);
        const uint64_t bytes = query.count(6);
        row.info.finished = (query.count(7) & 1) != 0;
        row.info.text_discarded = old.text_discarded = (query.count(7) & 2) != 0;
        std::memcpy(row.info.content_hash.data(), query.blob(8).data(), 32);
        if (!old.text_discarded) old.text = read_pages(old_space, old.id, bytes);
        const std::vector<OldChunk> chunks = read_chunks(old_space, old.id);
        insert_document(to_, row);
        uint64_t begin = 0;
        for (size_t i = 0; i < chunks.size() || begin < bytes;) {
            const size_t n = std::min(kChunksOfSegment, chunks.size() - i);
            const bool last = i + n == chunks.size();
            uint64_t end = last ? bytes : chunks[i + n - 1].bytes.end;
            end = std::min(end, begin + kMaxTextBytes);
            if (end <= begin && !last)
                fail(from_, "document \"" + row.info.key + "\" has chunks out of order");
            copy_segment(old, {begin, end}, std::span(chunks).subspan(i, n), space, row);
            i += n;
            begin = end;
        }
        if (row.info.chunks != query.count(11) || row.info.tokens != query.count(10))
            fail(from_, "document \"" + row.info.key + "\" lacks chunks");
        row.info.bytes_searchable = chunks.empty() ? 0 : chunks.back().bytes.end;
        const std::vector<Place> places = list_places(to_, row.info.id);
        row.levels = levels_for(places.size());
        build_place_sums(to_, row.info.id, places, 0, row.levels);
        update_document(to_, row);
    }

    void copy_segment(const OldDocument& old, ByteSpan bytes, std::span<const OldChunk> chunks,
                      SpaceRow& space, DocumentRow& row) {
        SegmentRow segment;
        segment.space = space.id;
        segment.standing = Standing::kVisible;
        segment.bytes = bytes.size();
        segment.chunks = chunks.size();
        for (const OldChunk& chunk : chunks) segment.tokens += chunk.n_tokens;
        segment.text_discarded = old.text_discarded;
        std::string text;
        if (!old.text_discarded) text = encode_text(old.text.substr(bytes.begin, bytes.size()), 0);
        segment.text_disk = text.size();
        insert_segment(to_, segment, text);
        for (size_t i = 0; i < chunks.size(); ++i) {
            const OldChunk& chunk = chunks[i];
            if (chunk.bytes.begin < bytes.begin || chunk.bytes.end > bytes.end)
                fail(from_, "document \"" + row.info.key + "\" has chunks out of order");
            EncodedRecord record;
            record.bytes = {chunk.bytes.begin - bytes.begin, chunk.bytes.end - bytes.begin};
            record.provisional = chunk.provisional;
            record.n_tokens = static_cast<uint32_t>(chunk.n_tokens);
            record.key = chunk.key;
            record.tokens = chunk.tokens;
            record.states = chunk.states;
            const ChunkPlace place{space.id, segment.id, i, record.bytes, record.provisional};
            const ChunkRow made = insert_chunk(to_, place, record, 1);
            space.digest += digest_part(made.id, made.key_seal);
            space.state_disk += made.state_disk;
        }
        space.chunks += segment.chunks;
        space.tokens += segment.tokens;
        space.text_disk += segment.text_disk;
        const Place place{++places_ * kPlaceStep, segment.id, segment.bytes, segment.chunks};
        insert_place(to_, row.info.id, place);
        row.places += place_digest(place);
        row.info.bytes += segment.bytes;
        row.info.chunks += segment.chunks;
        row.info.tokens += segment.tokens;
    }

    std::string read_pages(uint64_t space, uint64_t document, uint64_t bytes) {
        std::string text;
        Query query(
            from_,
            "SELECT page, seal, body FROM text_pages WHERE space_id = ? AND document_id = ? ORDER "
            "BY page");
        query.bind(sql(space)).bind(sql(document));
        for (uint64_t page = 0; text.size() < bytes; ++page) {
            std::optional<std::string> raw;
            if (query.step() && query.count(0) == page &&
                query.count(1) == seal_part(4, {space, document, page}, query.blob(2)))
                raw = decode_text(query.blob(2));
            if (!raw || raw->empty() || raw->size() > kPageBytes)
                fail(from_,
                     "a page of text of document " + std::to_string(document) + " is damaged");
            text += *raw;
        }
        return text;
    }

    std::vector<OldChunk> read_chunks(uint64_t space, uint64_t document) {
        std::vector<OldChunk> chunks;
        Query query(
            from_,
            "SELECT c.id, c.ordinal, c.byte_begin, c.byte_end, c.provisional, c.n_tokens, "
            "c.key_seal, c.tokens_seal, c.key, c.tokens, s.seal, s.body FROM chunks c JOIN states "
            "s "
            "ON s.chunk_id = c.id WHERE c.space_id = ? AND c.document_id = ? ORDER BY c.ordinal");
        query.bind(sql(space)).bind(sql(document));
        while (query.step()) {
            OldChunk chunk;
            chunk.id = query.count(0);
            chunk.ordinal = query.count(1);
            if (chunk.ordinal != chunks.size())
                fail(from_, "document " + std::to_string(document) + " lacks a chunk");
            chunk.bytes = {query.count(2), query.count(3)};
            chunk.provisional = query.flag(4);
            chunk.n_tokens = query.count(5);
            chunk.key = query.blob(8);
            chunk.tokens = query.blob(9);
            chunk.states = query.blob(11);
            const auto seal = [&](uint8_t kind, std::string_view blob) {
                return seal_part(kind,
                                 {space, document, chunk.ordinal, chunk.bytes.begin,
                                  chunk.bytes.end, uint64_t(chunk.provisional)},
                                 blob);
            };
            if (seal(2, chunk.key) != query.count(6) || seal(1, chunk.tokens) != query.count(7) ||
                seal_states(chunk.id, chunk.states) != query.count(10))
                fail(from_, "chunk " + std::to_string(chunk.id) + " is damaged");
            chunks.push_back(std::move(chunk));
        }
        return chunks;
    }

    Connection& from_;
    Connection& to_;
    const CallControl& control_;
    uint64_t done_ = 0, places_ = 0;
};

ModelBinding old_binding(Connection& connection) {
    ModelBinding model;
    Query query(connection, "SELECT fingerprint, dim, chunk_tokens, seal FROM store WHERE one = 1");
    if (!query.step() || query.blob(0).size() != model.fingerprint.size())
        fail(connection, "the model's binding is missing");
    std::memcpy(model.fingerprint.data(), query.blob(0).data(), model.fingerprint.size());
    model.dim = query.count32(1);
    model.chunk_tokens = query.count32(2);
    ByteWriter bytes;
    bytes.raw(model.fingerprint.data(), 32).u32(model.dim).u32(model.chunk_tokens);
    if (crc32c(bytes.str().data(), bytes.str().size()) != query.count(3))
        fail(connection, "checksum of the model's binding differs");
    model.context_tokens = static_cast<uint32_t>(kContextChunks) * model.chunk_tokens;
    return model;
}

}  // namespace

bool upgrade_store(const std::string& path, const CallControl& control) {
    const StoreDirectory directory(path);
    if (!directory.holds_store())
        throw Error(Status::kNotFound, "rpt",
                    "there is no store in \"" + path + "\"; check the path");
    const auto lock = directory.lock_for_destroying();  // nobody else has it open
    const std::string fresh = directory.database() + ".new";
    const auto clean = [&] {
        for (const char* tail : {"", "-journal", "-wal", "-shm"}) ::unlink((fresh + tail).c_str());
    };
    {
        Connection from(directory.database(), Connection::Access::kReadWrite, path);
        if (static_cast<uint32_t>(from.read_number("PRAGMA application_id")) != kApplicationId)
            fail(from, "store.sqlite is not a store of this library");
        const auto version = from.read_number("PRAGMA user_version");
        if (version == kFormatVersion) return false;
        if (version < 1 || version > kFormatVersion)
            throw Error(Status::kVersion, "rpt",
                        "store \"" + path + "\" has format " + std::to_string(version) +
                            ", this library upgrades formats below " +
                            std::to_string(kFormatVersion) + "; update the library");
        if (version != 1) {
            try {
                upgrade_in_place(from, static_cast<uint32_t>(version), control);
            } catch (const Error& error) {
                // A header that forbids writing a file which may be written is damage.
                if (error.status() == Status::kReadOnly &&
                    ::access(directory.database().c_str(), W_OK) == 0 &&
                    ::access(path.c_str(), W_OK) == 0)
                    fail(from, "its header says that nobody may write it");
                throw;
            }
            return true;
        }
        clean();
        try {
            write_database(fresh, path, old_binding(from), directory.file_mode());
            Connection to(fresh, Connection::Access::kReadWrite, path);
            {
                Transaction reading(from, Transaction::Kind::kRead);
                Transaction writing(to, Transaction::Kind::kWrite);
                Upgrade(from, to, control).run();
                control.check();
                writing.commit();
            }
            to.close();
            from.exec("PRAGMA wal_checkpoint(TRUNCATE)");
            from.close();
        } catch (...) {
            clean();
            throw;
        }
    }
    // The log of the old database must not be taken for the new one's.
    for (const char* tail : {"-wal", "-shm"}) ::unlink((directory.database() + tail).c_str());
    publish_database(fresh, directory.database());
    directory.remove_index_files();
    return true;
}

}  // namespace rpt::storage
