// What the commands below `rpt memory` share: they open a store without a model.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/rpt/workplace.h"

namespace rpt::cli {

struct SpaceName {
    std::string owner, collection;
};

// STORE, and for the commands that work on one space --owner and --collection.
CLI::App* add_memory_command(Registry& registry, CLI::App& memory, const std::string& name,
                             const std::string& description, const std::string& example,
                             std::string& store);
std::vector<SpaceName> list_spaces(rpt_store* store);
Space open_space(rpt_store* store, const SpaceName& name);
rpt_store_stats read_stats(rpt_store* store);
std::string hex(const uint8_t* bytes, size_t size);
// The documents of a space, in order of their keys.
void list_documents(rpt_space* space,
                    const std::function<void(const std::string& key, const rpt_doc_info&)>& visit);
// A whole field of a document, RPT_FIELD_*; empty if it was not given.
std::string read_field(rpt_space* space, const std::string& key, int32_t field);
nlohmann::ordered_json document_json(const SpaceName& space, const std::string& key,
                                     const rpt_doc_info& info);
// "2024-05-06 07:08:09Z"
std::string format_time(int64_t timestamp_ms);

}  // namespace rpt::cli
