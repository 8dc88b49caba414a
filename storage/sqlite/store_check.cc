// Looking for damage: every row against its checksum, every sum against its rows.
#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "storage/sqlite/document_text.h"
#include "storage/sqlite/place_sums.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {
namespace {

// One check of one store, inside one read transaction.
class Inspector {
  public:
    Inspector(Connection& connection, const ModelBinding& model, CheckLevel level,
              const FindingSink& found, const CallControl& control)
        : connection_(connection), model_(model), level_(level), found_(found), control_(control) {}

    void run() {
        structure();
        attempt([&] { list_segments(); });
        for (const uint64_t space : ids("SELECT id FROM spaces ORDER BY id")) {
            attempt([&] { check_space(space); });
            control_.check();
        }
        strays();
    }

  private:
    void damage(const std::string& text) { found_({Finding::Severity::kDamage, text}); }

    // What a part of the check throws as damage is a finding, and the next part goes on.
    template <typename Part>
    void attempt(Part&& part) {
        try {
            part();
        } catch (const Error& error) {
            if (error.status() != Status::kCorrupt && error.status() != Status::kVersion) throw;
            damage(error.what());
        }
    }

    std::vector<uint64_t> ids(const char* sql, int64_t parameter = -1) {
        std::vector<uint64_t> all;
        Query query(connection_, sql);
        if (parameter >= 0) query.bind(parameter);
        while (query.step()) all.push_back(query.count(0));
        return all;
    }

    void structure() {
        Query query(connection_, level_ == CheckLevel::kFull ? "PRAGMA integrity_check(20)"
                                                             : "PRAGMA quick_check(20)");
        while (query.step()) {
            std::string line(query.blob(0));
            std::ranges::replace(line, '\n', ' ');
            if (line != "ok") damage("database: " + line + "; restore a backup");
        }
    }

    // No index has all segments of a space: one pass finds them for all spaces.
    void list_segments() {
        Query query(connection_, "SELECT space_id, id FROM segments ORDER BY id");
        while (query.step()) segments_[query.count(0)].push_back(query.count(1));
    }

    struct Sums {
        uint64_t chunks = 0, tokens = 0, text_disk = 0, state_disk = 0, digest = 0;
    };

    void check_space(uint64_t id) {
        const auto space = read_space(connection_, id);
        if (!space) return;
        std::set<uint64_t> placed;
        for (const uint64_t document :
             ids("SELECT id FROM documents WHERE space_id = ? ORDER BY id", int64_t(id)))
            attempt([&] { check_document(document, placed); });
        Sums sums;
        uint64_t done = 0;
        const std::vector<uint64_t>& segments = segments_[id];
        for (const uint64_t segment : segments) {
            control_.report(done++, segments.size());
            attempt([&] { check_segment(segment, placed, sums); });
        }
        const std::string name = "space \"" + space->owner + "\" / \"" + space->collection + "\": ";
        const auto same = [&](const char* what, uint64_t kept, uint64_t counted) {
            if (kept != counted)
                damage(name + "its row counts " + std::to_string(kept) + " " + what +
                       ", its rows are " + std::to_string(counted) + "; restore a backup");
        };
        same("chunks", space->chunks, sums.chunks);
        same("tokens", space->tokens, sums.tokens);
        same("bytes of text", space->text_disk, sums.text_disk);
        same("bytes of states", space->state_disk, sums.state_disk);
        if (space->digest != sums.digest)
            damage(name + "its chunks do not match its digest; restore a backup");
    }

    void check_document(uint64_t id, std::set<uint64_t>& placed) {
        const auto row = read_document_row(connection_, id);
        if (!row) return;
        const std::string name = "document \"" + row->info.key + "\": ";
        const std::vector<Place> places = list_places(connection_, id);
        uint64_t digest = 0, bytes = 0, chunks = 0, tokens = 0;
        for (const Place& place : places) {
            digest += place_digest(place);
            bytes += place.bytes;
            chunks += place.chunks;
            placed.insert(place.segment);
            const SegmentRow segment = require_segment(connection_, place.segment);
            tokens += segment.tokens;
            if (segment.space != row->space)
                damage(name + "it holds segment " + std::to_string(segment.id) +
                       " of another space; restore a backup");
            if (segment.bytes != place.bytes || segment.chunks != place.chunks)
                damage(name + "its place of segment " + std::to_string(segment.id) +
                       " does not fit the segment; restore a backup");
        }
        if (digest != row->places || bytes != row->info.bytes || chunks != row->info.chunks ||
            tokens != row->info.tokens)
            damage(name + "its places do not match its row; delete it and read it again");
        check_sums(*row, places, name);
        if (level_ == CheckLevel::kQuick || !row->info.finished || row->info.text_discarded) return;
        Sha256 hash;
        for (const Place& place : places) {
            const std::string text =
                read_segment_text(connection_, require_segment(connection_, place.segment));
            hash.update(text.data(), text.size());
        }
        if (hash.finish() != row->info.content_hash)
            damage(name + "its text does not match its hash; delete it and read it again");
    }

    void check_sums(const DocumentRow& row, const std::vector<Place>& places,
                    const std::string& name) {
        if (row.levels < levels_for(places.size()) || row.levels > kMostLevels)
            damage(name + "its list of segments has too few sums; delete it and read it again");
        for (uint32_t level = 1; level <= kMostLevels; ++level) {
            std::map<uint64_t, PlaceSum> counted;
            if (level <= row.levels)
                for (const Place& place : places)
                    counted[place.place / place_span(level)] += sum_of(place);
            std::map<uint64_t, PlaceSum> kept;
            for (const PlaceNode& node :
                 list_place_nodes(connection_, row.info.id, level, 0, INT64_MAX))
                kept[node.node] = node.sum;
            if (kept != counted)
                damage(name +
                       "the sums over its segments do not match them; delete it and read "
                       "it again");
        }
    }

    void check_segment(uint64_t id, const std::set<uint64_t>& placed, Sums& sums) {
        const SegmentRow row = require_segment(connection_, id);
        const std::string name = "segment " + std::to_string(id) + ": ";
        if (row.standing != standing_by_documents(connection_, id))
            damage(name + "its standing does not follow from the documents that hold it");
        if ((row.standing == Standing::kUnused) == placed.contains(id))
            damage(name + "it is " +
                   (placed.contains(id) ? "unused and has a place" : "in use and has no place"));
        const std::vector<ChunkRow> chunks = list_chunks(connection_, id);
        uint64_t tokens = 0;
        for (size_t i = 0; i < chunks.size(); ++i) {
            const ChunkRow& chunk = chunks[i];
            tokens += chunk.n_tokens;
            sums.state_disk += chunk.state_disk;
            if (row.standing == Standing::kVisible)
                sums.digest += digest_part(chunk.id, chunk.key_seal);
            if (chunk.place.ordinal != i || chunk.place.bytes.end > row.bytes ||
                chunk.place.space != row.space)
                damage(name + "chunk " + std::to_string(chunk.id) + " does not fit it");
            if (level_ == CheckLevel::kFull)
                attempt([&] { read_chunk_record(connection_, chunk, model_); });
        }
        sums.chunks += chunks.size();
        sums.tokens += tokens;
        sums.text_disk += row.text_disk;
        if (chunks.size() != row.chunks || tokens != row.tokens)
            damage(name + "it counts " + std::to_string(row.chunks) + " chunks and has " +
                   std::to_string(chunks.size()) + "; delete its documents and read them again");
        if (level_ == CheckLevel::kFull && !row.text_discarded) read_segment_text(connection_, row);
    }

    // Rows that nothing leads to.
    void strays() {
        const auto none = [&](const char* what, const char* sql) {
            const auto n = connection_.read_number(sql);
            if (n != 0) damage(std::to_string(n) + " " + what + "; restore a backup");
        };
        none("places without a document or a segment",
             "SELECT count(*) FROM places WHERE document_id NOT IN (SELECT id FROM documents) OR "
             "segment_id NOT IN (SELECT id FROM segments)");
        none("sums of places without a document",
             "SELECT count(*) FROM place_sums WHERE document_id NOT IN (SELECT id FROM "
             "documents)");
        none("chunks without a segment",
             "SELECT count(*) FROM chunks WHERE segment_id NOT IN (SELECT id FROM segments)");
        none("states without a chunk, or of a chunk that says they were dropped",
             "SELECT count(*) FROM states WHERE chunk_id NOT IN (SELECT id FROM chunks WHERE "
             "state_disk > "
             "0)");
        none("chunks whose states are missing",
             "SELECT count(*) FROM chunks WHERE state_disk > 0 AND id NOT IN (SELECT chunk_id FROM "
             "states)");
        none("pointer keys without a chunk",
             "SELECT count(*) FROM pointers WHERE chunk_id NOT IN (SELECT id FROM chunks)");
        if (model_.pointer_dim > 0)
            none("chunks whose pointer keys are missing",
                 "SELECT count(*) FROM chunks WHERE id NOT IN (SELECT chunk_id FROM pointers)");
        none("segments of no space",
             "SELECT count(*) FROM segments WHERE space_id NOT IN (SELECT id FROM spaces)");
        const auto unused = connection_.read_number(
            "SELECT count(*) FROM segments WHERE standing < 2 AND standing = 0");
        if (unused != 0)
            found_({Finding::Severity::kNote,
                    std::to_string(unused) +
                        " deleted segments wait to be erased; compact the store to do it now"});
    }

    Connection& connection_;
    const ModelBinding& model_;
    const CheckLevel level_;
    const FindingSink& found_;
    const CallControl& control_;
    std::map<uint64_t, std::vector<uint64_t>> segments_;  // of each space, ascending
};

}  // namespace

void StoreImpl::check(CheckLevel level, const FindingSink& found, const CallControl& control) {
    control.check();
    ConnectionPool::Lease lease(readers_);
    Inspector(*lease, model_, level, found, control).run();
}

}  // namespace rpt::storage
