// Pointer keys under a budget.
#include "tests/unit/storage/store_budget_fixture.h"

namespace rpt::storage {

TEST_F(StoreBudget, pointer_keys_stay_where_states_go) {
    constexpr uint32_t kWidth = 16;
    constexpr uint64_t kBudget = 4 * kMiB;
    const std::string free = path_ + "_free";
    auto store = Store::open(path_, wide_options(kWidth)),
         unlimited = Store::open(free, wide_options(kWidth));
    auto space = store->open_space("o", "c", true),
         all_space = unlimited->open_space("o", "c", true);
    store->set_budget(kBudget);
    Numbers numbers(12);
    FolderWatch watch(path_);
    for (int n = 0; n < 13; ++n) {
        std::vector<SegmentRecord> segments;
        for (int i = 0; i < 15; ++i) segments.push_back(wide_segment(numbers, 5, kWidth));
        ingest(*space, std::to_string(n), segments, [&] { watch.look(); });
        ingest(*all_space, std::to_string(n), segments);
    }
    EXPECT_EQ(store->stats().pointer_bytes, 13u * 15 * 5 * (1 + kLong * (2 + kWidth / 2)));
    EXPECT_LT(store->stats().state_bytes_disk, unlimited->stats().state_bytes_disk / 2);
    EXPECT_EQ(pointer_rows(*store, space), pointer_rows(*unlimited, all_space));
    store->close();
    report("pointer keys", watch.most(), kBudget);
    EXPECT_LE(watch.most(), kBudget + kBudget / 100);
    store = Store::open(path_, wide_options(kWidth));
    space = store->open_space("o", "c", false);
    EXPECT_EQ(pointer_rows(*store, space), pointer_rows(*unlimited, all_space));
    store->check(CheckLevel::kFull, [](const Finding& f) {  // ingest() gives no hashes
        EXPECT_NE(f.text.find("does not match its hash"), std::string::npos) << f.text;
    });
}

}  // namespace rpt::storage
