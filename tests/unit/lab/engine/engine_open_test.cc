// Packages that an engine does not open.
#include <map>

#include "base/error.h"
#include "tests/unit/lab/engine/engine_fixture.h"

namespace rpt::engine {
namespace {

TEST_F(EngineTest, open_refuses_a_memory_of_another_kind_by_its_name) {
    std::map<std::string, std::string> refused;
    for (const auto& [name, config] : model::all_variants()) {
        if (unread_part(config).empty()) continue;
        const std::string path = save(model::RptModel(with_bytes(config), 3));
        try {
            open_engine(path, {});
            ADD_FAILURE() << name << " was opened";
        } catch (const Error& error) {
            EXPECT_EQ(error.status(), Status::kUnsupported) << name;
            refused[name] = error.what();
        }
    }
    EXPECT_EQ(
        refused["memorizing"],
        "model \"" + (folder_ / "model.safetensors").string() +
            "\": no engine runs it: libtorch: layer 2 attends to far keys "
            "(memorizing_layers), which the library does not read; evaluate it with rpt-lab eval");
    EXPECT_NE(refused["block_recurrent"].find("layer 1 is block-recurrent"), std::string::npos);
    EXPECT_NE(refused["griffin"].find("layer 2 has a gated recurrence"), std::string::npos);
    EXPECT_NE(refused["rpt_bypass_zero_slot"].find("past the residual"), std::string::npos);
}

}  // namespace
}  // namespace rpt::engine
