#include "storage/sqlite/document_writer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "storage/sqlite/document_text.h"
#include "storage/sqlite/place_numbers.h"
#include "storage/sqlite/place_sums.h"

namespace rpt::storage {
namespace {

constexpr size_t kPurgedByCommit = 8;  // segments: what a commit may spend on earlier deletions

[[noreturn]] void fail_argument(size_t segment, size_t chunk, const std::string& text) {
    throw Error(
        Status::kArgument, "rpt",
        "segment " + std::to_string(segment) + ", chunk " + std::to_string(chunk) + ": " + text);
}

// Behind the key in the name of the hidden document that holds what is staged. Keys hold no control
// characters. On disk while a writer works, and removed by the next open for writing.
constexpr char kStagedSuffix[] = "\x01staged";

// Undoes a transaction whose edit names a segment that is gone.
struct SegmentLost {
    size_t index;
};

}  // namespace

void remove_document(Connection& connection, const DocumentRow& row, SegmentEdit& segments) {
    for (const Place& place : list_places(connection, row.info.id)) segments.touch(place.segment);
    erase_places(connection, row.info.id);
    erase_place_sums(connection, row.info.id);
    erase_document_row(connection, row.info.id);
}

DocumentWriterImpl::DocumentWriterImpl(std::shared_ptr<StoreImpl> store, uint64_t space,
                                       const DocumentSpec& spec,
                                       const std::optional<DocumentRow>& old)
    : store_(std::move(store)), key_(spec.key) {
    DocumentRow& row = state_.row;
    row.space = space;
    row.pending = old.has_value();
    row.info.text_discarded = spec.discard_text;
    row.info.revision = old ? old->info.revision + 1 : 1;
    row.info.key = spec.key;
    row.info.uri = spec.uri;
    row.info.meta_json = spec.meta_json;
    row.info.timestamp_ms = spec.timestamp_ms;
}

DocumentWriterImpl::DocumentWriterImpl(std::shared_ptr<StoreImpl> store, DocumentRow row,
                                       std::vector<Place> places)
    : store_(std::move(store)), key_(row.info.key) {
    state_.row = std::move(row);
    state_.places = std::move(places);
}

DocumentWriterImpl::~DocumentWriterImpl() {
    for (const DocumentRow* row : {&state_.row, &staged_.row}) {
        if (!row->pending || row->info.id == 0) continue;
        try {
            store_->erase_pending(*row);
        } catch (...) {  // nobody sees an unfinished replacement or what is staged, and the next
                         // open for writing removes it
        }
    }
    release_claim();
}

void DocumentWriterImpl::release_claim() noexcept {
    if (std::exchange(claimed_, false)) store_->release_key(state_.row.space, key_);
}

void DocumentWriterImpl::require_unfinished() const {
    if (finished_)
        throw Error(Status::kState, "rpt",
                    "document \"" + key_ + "\" is finished; resume it or begin it again");
}

void DocumentWriterImpl::check(std::span<const SegmentRecord> records) const {
    const ModelBinding& model = store_->model();
    for (size_t s = 0; s < records.size(); ++s) {
        const SegmentRecord& segment = records[s];
        if (segment.known) {
            if (segment.identity == Digest{})
                fail_argument(s, 0, "it is known and has no identity");
            continue;
        }
        if (segment.text.empty() || segment.text.size() > kMaxTextBytes)
            fail_argument(s, 0,
                          "its text has " + std::to_string(segment.text.size()) +
                              " bytes, not 1 to " + std::to_string(kMaxTextBytes));
        for (size_t i = 0; i < segment.chunks.size(); ++i) {
            const ChunkRecord& chunk = segment.chunks[i];
            if (chunk.tokens.empty() || chunk.tokens.size() > model.chunk_tokens)
                fail_argument(s, i,
                              "has " + std::to_string(chunk.tokens.size()) + " tokens, not 1 to " +
                                  std::to_string(model.chunk_tokens));
            if (chunk.key.size() != model.key_width())
                fail_argument(s, i,
                              "its key has " + std::to_string(chunk.key.size()) +
                                  " values, the store's have " + std::to_string(model.key_width()));
            if (chunk.states.size() != chunk.tokens.size() * model.dim)
                fail_argument(s, i,
                              "its states have " + std::to_string(chunk.states.size()) +
                                  " values, not tokens times " + std::to_string(model.dim));
            if (chunk.pointers.size() != chunk.tokens.size() * model.pointer_dim)
                fail_argument(s, i,
                              "its pointer keys have " + std::to_string(chunk.pointers.size()) +
                                  " values, not tokens times " + std::to_string(model.pointer_dim));
            if (chunk.bytes.begin > chunk.bytes.end || chunk.bytes.end > segment.text.size())
                fail_argument(s, i, "its bytes are not within the text");
        }
    }
}

std::optional<size_t> DocumentWriterImpl::apply(Connection& connection, State& state,
                                                const Edit& edit,
                                                const std::vector<PreparedSegment>& prepared,
                                                SegmentEdit& segments) const {
    DocumentRow& row = state.row;
    DocumentInfo& info = row.info;
    // What goes.
    const auto old_begin = state.places.begin() + static_cast<ptrdiff_t>(edit.first);
    std::vector<SegmentRow> old;
    for (auto at = old_begin; at != old_begin + static_cast<ptrdiff_t>(edit.n_old); ++at) {
        old.push_back(require_segment(connection, at->segment));
        segments.touch(at->segment);
        info.bytes -= at->bytes;
        info.chunks -= at->chunks;
        info.tokens -= old.back().tokens;
    }
    // What comes.
    std::vector<Place> fresh;
    for (size_t i = 0; i < prepared.size(); ++i) {
        const PreparedSegment& now = prepared[i];
        std::optional<SegmentRow> segment;
        const bool grows =
            i == 0 && old.size() == 1 && old[0].is_open() && !now.known &&
            (now.identity == Digest{} || !find_segment(connection, row.space, now.identity));
        segment = grows ? segments.replace_open(old[0], now) : segments.put(now);
        if (!segment) return i;
        fresh.push_back({0, segment->id, segment->bytes, segment->chunks});
        info.bytes += segment->bytes;
        info.chunks += segment->chunks;
        info.tokens += segment->tokens;
    }
    put_places(connection, state, edit, std::move(fresh));
    info.bytes_searchable = info.bytes;
    if (!state.places.empty()) {
        const Place& last = state.places.back();
        const std::vector<ChunkRow> chunks = list_chunks(connection, last.segment);
        info.bytes_searchable -= last.bytes - (chunks.empty() ? 0 : chunks.back().place.bytes.end);
    }
    return std::nullopt;
}

// The old places go, the fresh ones get numbers between their neighbours', and the sums follow.
void DocumentWriterImpl::put_places(Connection& connection, State& state, const Edit& edit,
                                    std::vector<Place> fresh) const {
    DocumentRow& row = state.row;
    std::vector<Place>& places = state.places;
    PlaceChanges changes;
    const auto remove = [&](const Place& place) {
        erase_place(connection, row.info.id, place.place);
        row.places -= place_digest(place);
        changes.remove(place);
    };
    const auto begin = places.begin() + static_cast<ptrdiff_t>(edit.first);
    const auto end = begin + static_cast<ptrdiff_t>(edit.n_old);
    std::for_each(begin, end, remove);
    const size_t n_fresh = fresh.size();
    places.insert(places.erase(begin, end), fresh.begin(), fresh.end());
    const PlaceNumbers numbers = number_places(places, edit.first, n_fresh);
    for (size_t i = numbers.first; i < numbers.first + numbers.numbers.size(); ++i)
        if (i < edit.first || i >= edit.first + n_fresh) remove(places[i]);
    for (size_t i = 0; i < numbers.numbers.size(); ++i) {
        Place& place = places[numbers.first + i];
        place.place = numbers.numbers[i];
        insert_place(connection, row.info.id, place);
        row.places += place_digest(place);
        changes.add(place);
    }
    changes.write(connection, row.info.id, row.levels);
    const uint32_t levels = levels_for(places.size());
    if (levels <= row.levels) return;
    build_place_sums(connection, row.info.id, places, row.levels, levels);
    row.levels = levels;
}

void DocumentWriterImpl::publish_replacement(Connection& connection, State& state,
                                             SegmentEdit& segments) const {
    DocumentRow& row = state.row;
    if (const auto old = find_document_row(connection, row.space, key_, false))
        remove_document(connection, *old, segments);
    row.pending = false;
    for (const Place& place : state.places) segments.touch(place.segment);
}

std::optional<size_t> DocumentWriterImpl::transact(
    std::span<const SegmentRecord> segments, const CallControl& control,
    const std::function<void(const Work&, const std::vector<PreparedSegment>&)>& work) {
    control.check();
    check(segments);
    std::vector<PreparedSegment> prepared;
    for (size_t i = 0; i < segments.size(); ++i) {
        if (i % 4 == 0) control.report(i, segments.size());
        prepared.push_back(prepare_segment(segments[i], state_.row.info.text_discarded,
                                           store_->model().dim, store_->options().packing));
    }
    store_->write_uses();
    SpaceChange change;
    try {
        store_->write([&](Connection& connection) {
            change = {};
            auto space = read_space(connection, state_.row.space);
            if (!space)
                throw Error(Status::kNotFound, "rpt",
                            "the space of document \"" + key_ + "\" was dropped; open it again");
            change.now = std::move(*space);
            change.old_generation = change.now.generation;
            store_->make_room(connection, change.now, prepared);
            SegmentEdit edit(connection, change, store_->model().key_width());
            work({connection, change, edit}, prepared);
            edit.settle();
            edit.purge(kPurgedByCommit, store_->commit_bytes() / 2);
            edit.publish_rows();
            touch_space(connection, change.now);
            store_->trim(connection);
            control.check();
        });
    } catch (const SegmentLost& lost) {
        return lost.index;
    }
    store_->publish(change);
    return std::nullopt;
}

std::optional<size_t> DocumentWriterImpl::commit(const Edit& edit, const CallControl& control) {
    require_unfinished();
    if (edit.first > state_.places.size() || edit.n_old > state_.places.size() - edit.first)
        throw Error(Status::kArgument, "rpt",
                    "document \"" + key_ + "\": the edit names segments that it does not have");
    State next;
    const auto lost = transact(edit.segments, control, [&](const Work& work, const auto& prepared) {
        next = state_;
        DocumentRow& row = next.row;
        if (row.info.id == 0) insert_document(work.connection, row);
        if (row.info.finished) {
            row.info.finished = false;
            row.info.content_hash = {};
            ++row.info.revision;
        }
        if (const auto gone = apply(work.connection, next, edit, prepared, work.segments))
            throw SegmentLost{*gone};
        if (staged_.row.info.id != 0) remove_document(work.connection, staged_.row, work.segments);
        if (edit.finish) {
            row.info.finished = true;
            row.info.content_hash = edit.content_hash;
            if (row.pending) publish_replacement(work.connection, next, work.segments);
        }
        if (!update_document(work.connection, row))
            throw Error(Status::kNotFound, "rpt",
                        "document \"" + key_ + "\" was removed while it was written");
    });
    if (lost) return lost;
    state_ = std::move(next);
    staged_ = {};
    finished_ = edit.finish;
    if (finished_) release_claim();  // it writes no more, whoever keeps it
    return std::nullopt;
}

std::optional<size_t> DocumentWriterImpl::stage(std::span<const SegmentRecord> segments,
                                                const CallControl& control) {
    require_unfinished();
    State next;
    const auto lost = transact(segments, control, [&](const Work& work, const auto& prepared) {
        next = staged_;
        DocumentRow& row = next.row;
        if (row.info.id == 0) {
            row.space = state_.row.space;
            row.pending = true;
            row.info.revision = 1;
            row.info.key = key_ + kStagedSuffix;
            row.info.text_discarded = state_.row.info.text_discarded;
            insert_document(work.connection, row);
        }
        Edit edit;
        edit.first = next.places.size();
        if (const auto gone = apply(work.connection, next, edit, prepared, work.segments))
            throw SegmentLost{*gone};
        if (!update_document(work.connection, row))
            throw Error(Status::kNotFound, "rpt",
                        "what was staged for document \"" + key_ + "\" was removed");
    });
    if (!lost) staged_ = std::move(next);
    return lost;
}

std::vector<SegmentInfo> DocumentWriterImpl::segments() const {
    ConnectionPool::Lease lease(store_->readers());
    return list_segment_infos(*lease, state_.places);
}

std::string DocumentWriterImpl::read_text(ByteSpan bytes) const {
    ConnectionPool::Lease lease(store_->readers());
    return read_places_text(*lease, state_.places, key_, bytes);
}

std::vector<int32_t> DocumentWriterImpl::read_tokens(uint64_t segment_id) const {
    ConnectionPool::Lease lease(store_->readers());
    return read_segment_tokens(*lease, segment_id);
}

}  // namespace rpt::storage
