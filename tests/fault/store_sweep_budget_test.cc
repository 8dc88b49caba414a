// Sweeps over writing under a budget, where checkpoints follow commits, and over what must need no
// disk at all.
#include "tests/fault/store_sweep_fixture.h"

namespace rpt::fault {

// A commit that is on the disk is told as one, whatever the checkpoint after it meets.
TEST_F(StoreSweep, writing_under_a_budget) {
    sweep_writes(under_budget(
        on_answers("write", [](Store& store) { write_document(store, "new", true); })));
    StoreOperation edit = on_answers("append twice", [](Store& store) {
        storage::Numbers numbers(10);
        const storage::Edit document = storage::make_document(numbers, 8);
        const auto writer =
            store.open_space("owner", "first", false)->begin_document(storage::spec_of("two"));
        for (size_t i = 0; i < 2; ++i) {
            try {
                writer->commit(storage::part_of(document, i, 1));
            } catch (const Error&) {
                writer->commit(storage::part_of(document, i, 1));  // nothing had changed
            }
        }
    });
    edit.repeatable = false;
    // A fault that stays would meet the second try too.
    sweep(folder_ + "/sweep", under_budget(edit),
          {.ops = only(Op::kSqlWrite) | only(Op::kSqlSync)});
}

TEST_F(StoreSweep, deleting_under_a_budget) {
    StoreOperation deleting = on_answers("delete", [](Store& store) {
        store.open_space("owner", "first", false)->delete_document("1");
    });
    deleting.repeatable = false;
    sweep_writes(under_budget(deleting));
    StoreOperation dropping =
        on_answers("drop_space", [](Store& store) { store.drop_space("owner", "second"); });
    dropping.repeatable = false;
    sweep_writes(under_budget(dropping));
    sweep_writes(
        under_budget(on_answers("set_budget", [](Store& store) { store.set_budget(4 << 20); })));
}

// Whoever reads needs no write: states that a budget took are made again and given out, also where
// the disk takes nothing.
TEST_F(StoreSweep, restoring_states_needs_no_disk) {
    StoreOperation operation = on_answers("restore_states", [](Store& store) {
        const std::vector<std::vector<float>> states(
            4, std::vector<float>(storage::kTokens * kDim, 1));
        if (store.restore_states(1, states).size() != 4)
            throw std::logic_error("restore_states gives nothing");
    });
    operation.prepare = [](const std::string& path) {
        filled(path);
        storage::run_sql(path + "/store.sqlite",
                         "DELETE FROM states; UPDATE chunks SET state_disk = 0; UPDATE spaces SET "
                         "state_disk = 0");
    };
    for (const bool persistent : {false, true})
        for (const OpSet ops : {only(Op::kSqlWrite), only(Op::kSqlSync), kGrowing})
            for (const Cause cause : {Cause::kIo, Cause::kNoSpace})
                sweep(folder_ + "/sweep", operation,
                      {.ops = ops,
                       .cause = cause,
                       .persistent = persistent,
                       .allowed = {Status::kOk}});
}

}  // namespace rpt::fault
