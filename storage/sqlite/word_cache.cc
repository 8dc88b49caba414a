#include "storage/sqlite/word_cache.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "storage/sqlite/pointer_table.h"
#include "storage/sqlite/segment_table.h"

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

size_t count_living(const WordSnapshot::Part& part) {
    return static_cast<size_t>(std::ranges::count(part.lives, true));
}

// Parts that shrank or that newer ones have caught up with are written anew, as one: so there are
// few, and each row is copied seldom.
bool must_merge(const WordSnapshot::Part& part, size_t newer_rows) {
    const size_t living = count_living(part);
    return living <= 2 * newer_rows || living < part.part->rows() - part.part->rows() / 8;
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
    // what lives of the old parts, the oldest first
    WordSnapshot old;
    if (base) {
        for (const WordSnapshot::Part& part : base->parts) {
            for (const WordPart::Segment& segment : part.part->segments())
                fresh.erase(segment.version);
            old.add(part.part, visible);
        }
    }
    WordPartBuilder builder;
    uint64_t done = 0;
    for (const SegmentVersion& version : fresh) {
        control.report(done++, fresh.size());
        add_segment(connection, version, builder);
    }
    size_t stay = old.parts.size(), newer = builder.rows();
    while (stay > 0 && must_merge(old.parts[stay - 1], newer))
        newer += count_living(old.parts[--stay]);
    for (size_t i = stay; i < old.parts.size(); ++i)
        builder.add(*old.parts[i].part,
                    [&](const SegmentVersion& version) { return visible.contains(version); });
    auto next = std::make_shared<WordSnapshot>();
    next->generation = row.generation;
    for (size_t i = 0; i < stay; ++i) next->add(old.parts[i].part, visible);
    if (builder.rows() > 0 || !fresh.empty()) next->add(builder.finish(), visible);
    return next;
}

void WordCache::publish(Space& space, std::shared_ptr<const WordSnapshot> snapshot) {
    std::vector<std::shared_ptr<const WordSnapshot>> freed;  // without the lock
    const std::lock_guard guard(mutex_);
    freed.push_back(std::exchange(space.kept, std::move(snapshot)));
    for (;;) {
        uint64_t bytes = 0;
        Space* oldest = nullptr;
        for (const auto& [id, other] : spaces_) {
            if (!other->kept) continue;
            bytes += other->kept->memory_bytes;
            if (other.get() != &space && (oldest == nullptr || other->used < oldest->used))
                oldest = other.get();
        }
        if (bytes <= limit_ || oldest == nullptr) return;
        freed.push_back(std::move(oldest->kept));
    }
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
    uint64_t bytes = 0;
    for (const auto& [id, space] : spaces_)
        if (space->kept) bytes += space->kept->memory_bytes;
    return bytes;
}

}  // namespace rpt::storage
