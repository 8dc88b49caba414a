// Places of long documents: found through sums as a reading of the whole list would find them.
#include "storage/sqlite/document_places.h"

#include "storage/sqlite/place_numbers.h"
#include "storage/sqlite/schema.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

// One document in a database of its own, edited as a writer does, with a plain list as its twin.
class DocumentPlacesTest : public StoreTest {
  protected:
    void SetUp() override {
        StoreTest::SetUp();
        create_database(folder_ + "/db", "places", test_model());
        connection_ =
            std::make_unique<Connection>(folder_ + "/db", Connection::Access::kReadWrite, "places");
        connection_->exec("PRAGMA foreign_keys=OFF; PRAGMA synchronous=OFF");
        row_.space = 1;
        row_.info.key = "long";
        insert_document(*connection_, row_);
    }

    // Replaces [first, first + n_old) by n_fresh places.
    void edit(size_t first, size_t n_old, size_t n_fresh) {
        const Transaction::Kind kind = Transaction::Kind::kWrite;
        Transaction transaction(*connection_, kind);
        PlaceChanges changes;
        const auto remove = [&](const Place& place) {
            erase_place(*connection_, row_.info.id, place.place);
            row_.places -= place_digest(place);
            changes.remove(place);
            ++rewritten_;
        };
        for (size_t i = first; i < first + n_old; ++i) {
            remove(places_[i]);
            row_.info.bytes -= places_[i].bytes;
            row_.info.chunks -= places_[i].chunks;
        }
        const auto at = places_.erase(places_.begin() + static_cast<ptrdiff_t>(first),
                                      places_.begin() + static_cast<ptrdiff_t>(first + n_old));
        std::vector<Place> fresh(n_fresh);
        for (Place& place : fresh) {
            place.segment = 1 + numbers_.below(1000);
            place.bytes = 1 + numbers_.below(300);
            place.chunks = numbers_.below(5);
            row_.info.bytes += place.bytes;
            row_.info.chunks += place.chunks;
        }
        places_.insert(at, fresh.begin(), fresh.end());
        const PlaceNumbers made = number_places(places_, first, n_fresh);
        for (size_t i = made.first; i < made.first + made.numbers.size(); ++i)
            if (i < first || i >= first + n_fresh) remove(places_[i]);
        for (size_t i = 0; i < made.numbers.size(); ++i) {
            Place& place = places_[made.first + i];
            place.place = made.numbers[i];
            insert_place(*connection_, row_.info.id, place);
            row_.places += place_digest(place);
            changes.add(place);
            ++rewritten_;
        }
        changes.write(*connection_, row_.info.id, row_.levels);
        const uint32_t levels = levels_for(places_.size());
        if (levels > row_.levels) {
            build_place_sums(*connection_, row_.info.id, places_, row_.levels, levels);
            row_.levels = levels;
        }
        update_document(*connection_, row_);
        transaction.commit();
    }

    void expect_same_as_the_list(size_t looks) {
        DocumentPlaces places(*connection_, row_);
        std::vector<uint64_t> begins, firsts;
        uint64_t bytes = 0, chunks = 0;
        std::map<uint64_t, size_t> leaves;
        for (const Place& place : places_) {
            begins.push_back(bytes);
            firsts.push_back(chunks);
            bytes += place.bytes;
            chunks += place.chunks;
            ++leaves[place.place / place_span(1)];
        }
        for (const auto& [leaf, n] : leaves) EXPECT_LE(n, kMostInLeaf) << leaf;
        EXPECT_FALSE(places.at_byte(bytes));
        EXPECT_FALSE(places.at_chunk(chunks));
        EXPECT_FALSE(places.at_number(places_.size()));
        const auto expect_at = [&](const std::optional<FoundPlace>& found, size_t i) {
            ASSERT_TRUE(found) << i;
            EXPECT_EQ(found->place.place, places_[i].place);
            EXPECT_EQ(found->byte_begin, begins[i]);
            EXPECT_EQ(found->first_chunk, firsts[i]);
        };
        for (size_t n = 0; n < looks && !places_.empty(); ++n) {
            const size_t i = numbers_.below(static_cast<uint32_t>(places_.size()));
            expect_at(places.at(places_[i].place), i);
            expect_at(places.at_byte(begins[i]), i);
            expect_at(places.at_number(i), i);
            expect_at(places.at_byte(begins[i] + places_[i].bytes - 1), i);
            if (places_[i].chunks > 0) expect_at(places.at_chunk(firsts[i]), i);
            const auto found = places.at(places_[i].place);
            const auto next = places.next(*found), previous = places.previous(*found);
            EXPECT_EQ(next.has_value(), i + 1 < places_.size());
            EXPECT_EQ(previous.has_value(), i > 0);
            if (next) expect_at(next, i + 1);
            if (previous) expect_at(previous, i - 1);
        }
        // The sums are those that a writer of the whole list would make.
        for (uint32_t level = 1; level <= row_.levels; ++level) {
            std::map<uint64_t, PlaceSum> expected, got;
            for (const Place& place : places_)
                expected[place.place / place_span(level)] += sum_of(place);
            for (const PlaceNode& node :
                 list_place_nodes(*connection_, row_.info.id, level, 0, INT64_MAX))
                got[node.node] = node.sum;
            EXPECT_TRUE(expected == got) << level;
        }
    }

    Numbers numbers_{31};
    std::unique_ptr<Connection> connection_;
    DocumentRow row_;
    std::vector<Place> places_;
    uint64_t rewritten_ = 0;  // rows of places
};

TEST_F(DocumentPlacesTest, random_edits_keep_the_sums_right) {
    for (int step = 0; step < 120; ++step) {
        const auto n = static_cast<uint32_t>(places_.size());
        const size_t first = step % 3 == 0 ? n : numbers_.below(n + 1);
        const size_t n_old = std::min<size_t>(n - first, numbers_.below(20));
        edit(first, n_old, numbers_.below(60));
        expect_same_as_the_list(4);
    }
    EXPECT_GT(places_.size(), 1000u);
    edit(0, places_.size(), 0);
    expect_same_as_the_list(0);
    edit(0, 0, 3);
    expect_same_as_the_list(3);
}

TEST_F(DocumentPlacesTest, long_list_is_found_by_few_rows) {
    edit(0, 0, 70000);
    EXPECT_EQ(row_.levels, 3u);
    expect_same_as_the_list(100);
    // Inserting at one spot again and again rewrites its surroundings, never the whole list.
    rewritten_ = 0;
    for (int i = 0; i < 400; ++i) edit(35000, 0, 1);
    expect_same_as_the_list(50);
    EXPECT_LT(rewritten_, 400u * 100);
    // Much at once.
    edit(20000, 10, 9000);
    expect_same_as_the_list(50);
}

TEST_F(DocumentPlacesTest, what_is_missing_is_noticed_on_the_way) {
    edit(0, 0, 3000);
    const auto broken_by = [&](const char* sql) {
        Transaction transaction(*connection_, Transaction::Kind::kWrite);
        connection_->exec(sql);
        EXPECT_GT(connection_->changed_rows(), 0) << sql;
        return status_of([&] {
            DocumentPlaces places(*connection_, row_);
            for (uint64_t byte = 0; byte < row_.info.bytes; byte += 400) places.at_byte(byte);
        });
    };
    for (const char* sql : {
             "DELETE FROM places WHERE place = 1500 * 4294967296",
             "UPDATE places SET bytes = bytes + 1 WHERE place = 1500 * 4294967296",
             "UPDATE places SET segment_id = 7777 WHERE place = 1500 * 4294967296",
             "UPDATE places SET place = place + 1 WHERE place = 1500 * 4294967296",
             "DELETE FROM place_sums WHERE level = 1 AND node = 46",
             "DELETE FROM place_sums WHERE level = 2 AND node = 1",
             "UPDATE place_sums SET bytes = bytes + 1 WHERE level = 1 AND node = 46",
             "UPDATE place_sums SET node = node + 1000 WHERE level = 1 AND node = 46",
             "DELETE FROM place_sums",
         })
        EXPECT_EQ(broken_by(sql), Status::kCorrupt) << sql;
    expect_same_as_the_list(20);
}

}  // namespace
}  // namespace rpt::storage
