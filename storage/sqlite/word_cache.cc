#include "storage/sqlite/word_cache.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "storage/sqlite/pointer_table.h"
#include "storage/sqlite/segment_table.h"
#include "storage/sqlite/space_eviction.h"

namespace rpt::storage {
namespace {

// The visible segments of a space, as they are.
std::set<SegmentVersion> list_versions(Connection& connection, const SpaceRow& row) {
    std::map<uint64_t, uint64_t> last;  // chunk, by segment
    for (const VisibleChunk& chunk : list_visible_chunks(connection, row))
        last[chunk.segment] = chunk.chunk;  // they ascend
    std::set<SegmentVersion> versions;
    for (const auto& [segment, chunk] : last) versions.insert({segment, chunk});
    return versions;
}

void add_segment(Connection& connection, const SegmentVersion& version, WordPartBuilder& builder) {
    const SegmentRow row = require_segment(connection, version.segment);
    if (row.text_discarded) {
        builder.add(version, {}, {});  // known, and nothing that is counted
        return;
    }
    std::vector<WordPartBuilder::Chunk> chunks;
    for (const ChunkRow& chunk : list_chunks(connection, version.segment))
        chunks.push_back({chunk.id, chunk.place.bytes});
    builder.add(version, read_segment_text(connection, row), chunks);
}

// Words of deleted texts stay in a part until an eighth of it is gone.
bool has_shrunk(const WordSnapshot::Part& part) {
    return part.living < part.part->rows() - part.part->rows() / 8;
}

// How many of the oldest parts stay as they are. The others are written anew, as one: those that
// shrank, all behind them, and those that newer rows have caught up with. So there are few parts,
// and each row is copied seldom.
size_t count_staying(std::span<const WordSnapshot::Part> parts, size_t fresh_rows) {
    size_t stay = static_cast<size_t>(std::ranges::find_if(parts, has_shrunk) - parts.begin());
    size_t newer = fresh_rows;
    for (size_t i = stay; i < parts.size(); ++i) newer += parts[i].living;
    while (stay > 0 && parts[stay - 1].living <= 2 * newer) newer += parts[--stay].living;
    return stay;
}

}  // namespace

std::shared_ptr<const WordSnapshot> WordCache::at(Connection& connection, const SpaceRow& row,
                                                  const CallControl& control) {
    std::shared_ptr<Space> space;
    const auto last = [&] {
        const std::lock_guard guard(mutex_);
        return space->kept;
    };
    {
        const std::lock_guard guard(mutex_);
        std::shared_ptr<Space>& known = spaces_[row.id];
        if (!known) known = std::make_shared<Space>();
        space = known;
        space->used = ++clock_;
    }
    if (auto snapshot = last(); snapshot && snapshot->generation >= row.generation) return snapshot;
    const std::lock_guard load_guard(space->load_mutex);
    const auto base = last();
    if (base && base->generation >= row.generation) return base;
    auto snapshot = read(connection, row, control, base);
    publish(*space, snapshot);
    return snapshot;
}

std::shared_ptr<const WordSnapshot> WordCache::read(
    Connection& connection, const SpaceRow& row, const CallControl& control,
    const std::shared_ptr<const WordSnapshot>& base) {
    const std::set<SegmentVersion> visible = list_versions(connection, row);
    std::set<SegmentVersion> fresh = visible;
    std::vector<WordSnapshot::Part> old;  // what lives of them, the oldest first
    if (base) {
        for (const WordSnapshot::Part& part : base->parts) {
            for (const WordPart::Segment& segment : part.part->segments())
                fresh.erase(segment.version);
            old.push_back(living_part(part.part, visible));
        }
    }
    WordPartBuilder builder;
    uint64_t done = 0;
    for (const SegmentVersion& version : fresh) {
        control.report(done++, fresh.size());
        add_segment(connection, version, builder);
    }
    const size_t stay = count_staying(old, builder.rows());
    for (size_t i = stay; i < old.size(); ++i)
        builder.add(*old[i].part,
                    [&](const SegmentVersion& version) { return visible.contains(version); });
    auto next = std::make_shared<WordSnapshot>();
    next->generation = row.generation;
    for (size_t i = 0; i < stay; ++i) next->add(std::move(old[i]));
    if (builder.segments() > 0) next->add(living_part(builder.finish(), visible));
    return next;
}

void WordCache::publish(Space& space, std::shared_ptr<const WordSnapshot> snapshot) {
    std::shared_ptr<const WordSnapshot> old;  // freed without the lock, like the others
    std::vector<std::shared_ptr<const WordSnapshot>> freed;
    const std::lock_guard guard(mutex_);
    old = std::exchange(space.kept, std::move(snapshot));
    freed = take_oldest(spaces_, space, limit_);
}

void WordCache::drop(uint64_t space) {
    const std::lock_guard guard(mutex_);
    spaces_.erase(space);
}

void WordCache::clear() {
    const std::lock_guard guard(mutex_);
    spaces_.clear();
}

uint64_t WordCache::bytes() const {
    const std::lock_guard guard(mutex_);
    return kept_bytes(spaces_);
}

}  // namespace rpt::storage
