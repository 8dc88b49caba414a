// Indexes in memory over keys around topics, the documents that hold them, and the plain twin of a
// search.
#pragma once

#include "storage/index/snapshot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "base/crc32c.h"
#include "storage/codec/blob_codec.h"
#include "base/dot_rows.h"
#include "storage/index/index_cache.h"
#include "storage/index/snapshot_search.h"
#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/chunk_documents.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/segment_table.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {

inline constexpr uint32_t kWide = 32;
inline const std::atomic<bool> kNever{false};

// Keys around a few topics with unequal lengths, as texts are.
inline std::shared_ptr<KeyRows> topic_rows(size_t n, uint64_t first_chunk = 1) {
    Numbers numbers(first_chunk + 17);
    Numbers topics(5);
    const std::vector<float> centres = topics.vector(40 * kWide);
    auto rows = std::make_shared<KeyRows>(kWide);
    for (size_t i = 0; i < n; ++i) {
        const size_t topic = numbers.below(40);
        const float length = 0.5f + numbers.unit();
        std::vector<float> key(kWide);
        for (size_t c = 0; c < kWide; ++c)
            key[c] = length * (centres[topic * kWide + c] + 0.7f * numbers.normal());
        RowFacts facts;
        facts.chunk = first_chunk + i;
        facts.segment = 1 + i / 10;
        facts.seal = static_cast<uint32_t>(i);
        rows->push(facts, encode_key(key));
    }
    return rows;
}

inline constexpr uint64_t kSpace = 1;

// The documents that hold the segments of topic_rows(), in a database of their own, where searches
// ask for them: "doc<n>" holds segment n + 1, and every tenth of them the segment after that too.
// Chunk i of a segment has bytes [10 i, 10 i + 10) of its 100.
class Documents {
  public:
    static constexpr uint64_t kDocuments = 600;

    struct Held {
        std::string key;
        uint64_t document, byte_begin;
    };

    Documents() {
        std::string folder = testing::TempDir() + "rpt_documents_XXXXXX";
        folder_ = ::mkdtemp(folder.data());
        ModelBinding model;
        model.dim = kWide;
        model.chunk_tokens = 1;
        create_database(folder_ + "/db", "documents", model);
        connection_ = std::make_unique<Connection>(folder_ + "/db", Connection::Access::kReadWrite,
                                                   "documents");
        Transaction transaction(*connection_, Transaction::Kind::kWrite);
        insert_space(*connection_, "o", "c");
        for (uint64_t n = 0; n < kDocuments; ++n) {
            SegmentRow segment;
            segment.space = kSpace;
            segment.standing = Standing::kVisible;
            segment.bytes = 100;
            segment.chunks = 10;
            insert_segment(*connection_, segment, "");
        }
        for (uint64_t n = 0; n < kDocuments; ++n) {
            DocumentRow row;
            row.space = kSpace;
            row.info.key = std::string("doc").append(std::to_string(n));
            insert_document(*connection_, row);
            hold(row, n + 1, 0);
            if (n % 10 == 0 && n + 1 < kDocuments) hold(row, n + 2, 100);
        }
        transaction.commit();
    }
    ~Documents() {
        connection_.reset();
        std::filesystem::remove_all(folder_);
    }

    // Rows of the chunks that the filter may ask about.
    void add(const Snapshot& snapshot) {
        Transaction transaction(*connection_, Transaction::Kind::kWrite);
        for (const RowRun& segment : snapshot.runs) {
            for (size_t row = 0; row < segment.rows->size(); ++row) {
                const RowFacts& facts = segment.rows->facts(row);
                const ByteSpan bytes = bytes_of(facts);
                Query(*connection_,
                      "INSERT INTO chunks VALUES(?, 1, ?, ?, ?, ?, 0, 1, 0, 0, 0, 0, x'', x'')")
                    .bind(static_cast<int64_t>(facts.chunk))
                    .bind(static_cast<int64_t>(facts.segment))
                    .bind(static_cast<int64_t>(facts.chunk))  // unique is all that counts
                    .bind(static_cast<int64_t>(bytes.begin))
                    .bind(static_cast<int64_t>(bytes.end))
                    .run();
            }
        }
        transaction.commit();
    }
    // topic_rows() begins at chunks whose number ends in 1.
    static ByteSpan bytes_of(const RowFacts& facts) {
        const uint64_t begin = (facts.chunk - 1) % 10 * 10;
        return {begin, begin + 10};
    }

    Connection& connection() { return *connection_; }
    const std::vector<Held>& holders(uint64_t segment) const { return holders_.at(segment); }

  private:
    void hold(DocumentRow& row, uint64_t segment, uint64_t byte_begin) {
        const Place place{byte_begin + 1, segment, 100, 10};
        insert_place(*connection_, row.info.id, place);
        row.info.bytes += place.bytes;
        row.info.chunks += place.chunks;
        row.places += place_digest(place);
        update_document(*connection_, row);
        holders_[segment].push_back({row.info.key, row.info.id, byte_begin});
    }

    std::string folder_;
    std::unique_ptr<Connection> connection_;
    std::map<uint64_t, std::vector<Held>> holders_;  // by segment, in order of documents
};

inline Documents& documents() {
    static auto* made = new Documents;  // for all tests; its destructor needs no order
    return *made;
}

inline std::vector<Hit> search(const Snapshot& snapshot, const std::vector<float>& query, size_t k,
                               const SearchFilter& filter = {}) {
    const auto shared = std::make_shared<const Snapshot>(snapshot);
    ChunkDocuments asked(documents().connection(), filter, {kSpace});
    return search_snapshots({&shared, 1}, query, k, filter, asked, {});
}

inline bool same(const std::vector<Hit>& a, const std::vector<Hit>& b) {
    return std::ranges::equal(a, b, [](const Hit& x, const Hit& y) {
        return x.chunk_id == y.chunk_id && x.score == y.score;
    });
}

// Each number of the query over one plus its mean in the live keys, if that is positive.
inline void weigh_plainly(const Snapshot& snapshot, std::vector<float>& query) {
    for (size_t i = 0; i < query.size(); ++i) {
        double sum = 0, n = 0;
        for (const RowRun& run : snapshot.runs) {
            for (size_t row = 0; row < run.rows->size(); ++row) {
                if (!run.is_live(row)) continue;
                float value;
                from_halves(run.rows->key(row) + i, &value, 1);
                sum += double(value);
                ++n;
            }
        }
        if (sum > 0) query[i] = static_cast<float>(double(query[i]) / (1.0 + sum / n));
    }
}

// The plainly right twin: scores everything, sorts everything.
inline std::vector<Hit> brute_force(const Snapshot& snapshot, std::vector<float> query, size_t k,
                                    const SearchFilter& filter) {
    struct Scored {
        Hit hit;
        uint64_t document;
    };
    std::vector<Scored> all;
    const float root = std::sqrt(static_cast<float>(query.size()));
    if (filter.weigh_by_idf) weigh_plainly(snapshot, query);
    query.resize(padded_columns(query.size()));
    for (const RowRun& segment : snapshot.runs) {
        for (size_t row = 0; row < segment.rows->size(); ++row) {
            if (!segment.is_live(row)) continue;
            float dot;
            rpt::plain::dot_rows(segment.rows->key(row), 1, segment.rows->columns(), query.data(), &dot);
            const RowFacts& facts = segment.rows->facts(row);
            if (filter.min_score && dot / root < *filter.min_score) continue;
            const auto& holders = documents().holders(facts.segment);
            const bool excluded = std::ranges::all_of(holders, [&](const Documents::Held& held) {
                const ByteSpan in_segment = Documents::bytes_of(facts);
                const ByteSpan bytes{held.byte_begin + in_segment.begin,
                                     held.byte_begin + in_segment.end};
                return held.key == filter.exclude_key &&
                       (filter.exclude_bytes.empty() || bytes.overlaps(filter.exclude_bytes));
            });
            if (excluded) continue;
            all.push_back({{facts.chunk, dot / root}, holders.front().document});
        }
    }
    std::ranges::sort(all, [](const Scored& a, const Scored& b) {
        return a.hit.score > b.hit.score ||
               (a.hit.score == b.hit.score && a.hit.chunk_id < b.hit.chunk_id);
    });
    std::map<uint64_t, uint32_t> taken;
    std::vector<Hit> hits;
    for (const Scored& scored : all)
        if (hits.size() < k &&
            (filter.max_per_document == 0 || taken[scored.document]++ < filter.max_per_document))
            hits.push_back(scored.hit);
    return hits;
}

inline Snapshot with_graph(size_t n) {
    Snapshot snapshot;
    RowRun segment{topic_rows(n), nullptr, nullptr};
    segment.graph = HnswGraph::build(*segment.rows, 1, kNever);
    snapshot.newest_chunk = n;
    for (size_t row = 0; row < n; ++row)
        snapshot.digest +=
            digest_part(segment.rows->facts(row).chunk, segment.rows->facts(row).seal);
    snapshot.runs.push_back(segment);
    return snapshot;
}

}  // namespace rpt::storage
