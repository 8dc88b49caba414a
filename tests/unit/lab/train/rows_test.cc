// The experiment's files: every row loads on every tier, and says what it differs in.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "lab/train/train_config.h"

namespace rpt::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::vector<fs::path> files_of(const char* folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(fs::path(RPT_SOURCE_DIR) / "configs" / folder))
        files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

Json read(const fs::path& path) {
    std::ifstream in(path);
    return Json::parse(in, nullptr, true, true);
}

// "model.dim" and the like; what changes a value counts as the value.
std::set<std::string> named_keys(const Json& row) {
    std::set<std::string> keys;
    for (const char* section : {"model", "train"}) {
        if (!row.contains(section)) continue;
        for (const auto& [key, value] : row[section].items()) {
            if (key == "extra_layers") {
                keys.insert("model.n_lower");
                keys.insert("model.n_upper");
            } else if (key == "steps_scale") {
                keys.insert("train.steps");
            } else {
                keys.insert(std::string(section) + "." + key);
            }
        }
    }
    return keys;
}

std::set<std::string> keys_with_parents(const fs::path& file) {
    const Json text = read(file);
    std::set<std::string> keys = named_keys(text);
    if (text.contains("parent"))
        keys.merge(keys_with_parents(file.parent_path() / text["parent"].get<std::string>()));
    return keys;
}

std::set<std::string> different_keys(const TrainConfig& a, const TrainConfig& b) {
    const Json one = Json::parse(a.to_json()), other = Json::parse(b.to_json());
    EXPECT_EQ(one["data"], other["data"]);
    EXPECT_EQ(one["validation"], other["validation"]);
    std::set<std::string> keys;
    for (const char* section : {"model", "train"}) {
        for (const auto& [key, value] : one[section].items()) {
            if (value != other[section][key]) keys.insert(std::string(section) + "." + key);
        }
    }
    return keys;
}

TEST(rows, every_row_loads_on_every_tier_and_differs_from_its_parent_in_what_it_names) {
    ASSERT_GE(files_of("tiers").size(), 3u);
    ASSERT_GE(files_of("rows").size(), 19u);
    for (const fs::path& row : files_of("rows")) {
        SCOPED_TRACE(row.stem().string());
        const Json text = read(row);
        std::set<std::string> different;
        for (const fs::path& tier : files_of("tiers")) {
            SCOPED_TRACE(tier.stem().string());
            const TrainConfig config = TrainConfig::from_file(row.string(), tier.string());
            if (!text.contains("parent")) continue;
            const fs::path parent = row.parent_path() / text["parent"].get<std::string>();
            const auto here =
                different_keys(config, TrainConfig::from_file(parent.string(), tier.string()));
            for (const std::string& key : here) EXPECT_TRUE(named_keys(text).contains(key)) << key;
            // what the tier itself names may be the row's value already, a default may not
            for (const std::string& key : named_keys(text))
                EXPECT_TRUE(here.contains(key) || keys_with_parents(tier).contains(key)) << key;
            different.insert(here.begin(), here.end());
        }
        if (text.contains("parent")) {
            EXPECT_EQ(different, named_keys(text));
        }
    }
}

TEST(rows, transformer_xl_is_the_trunk_of_every_row_but_its_own_variants) {
    const fs::path folder = fs::path(RPT_SOURCE_DIR) / "configs";
    for (const fs::path& tier : files_of("tiers")) {
        const auto load = [&](const std::string& row) {
            return TrainConfig::from_file((folder / "rows" / (row + ".json")).string(),
                                          tier.string());
        };
        const TrainConfig plain = load("transformer_xl");
        EXPECT_FALSE(plain.model.has_memory() || plain.model.has_cca());
        EXPECT_EQ(load("transformer_xl_plus2").model.layers(), plain.model.layers() + 2);
        EXPECT_EQ(load("transformer_xl_longer").train.steps, plain.train.steps * 3 / 2);
        for (const fs::path& row : files_of("rows")) {
            const TrainConfig other = load(row.stem().string());
            EXPECT_EQ(other.model.dim, plain.model.dim) << row;
            EXPECT_EQ(other.model.stride, plain.model.stride) << row;
            EXPECT_EQ(other.train.length, plain.train.length) << row;
            EXPECT_EQ(other.train.seed, plain.train.seed) << row;
        }
    }
}

TEST(rows, memories_of_another_kind_count_their_layers_from_the_top) {
    const fs::path folder = fs::path(RPT_SOURCE_DIR) / "configs";
    const auto load = [&](const std::string& row) {
        return TrainConfig::from_file((folder / "rows" / (row + ".json")).string(),
                                      (folder / "tiers" / "c.json").string())
            .model;
    };
    const std::vector<int64_t> below_top = {6}, top = {7}, upper = {5, 6, 7};
    EXPECT_EQ(load("memorizing_small").memorizing_layers, below_top);
    EXPECT_EQ(load("block_recurrent").recurrent_layers, top);
    EXPECT_EQ(load("griffin").griffin_layers, upper);
    EXPECT_EQ(load("rpt_sem").cca_layers, upper);
}

}  // namespace
}  // namespace rpt::train
