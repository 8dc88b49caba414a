#include "apps/rpt/memory_access.h"

#include <CLI/App.hpp>
#include <algorithm>
#include <array>
#include <ctime>
#include <exception>

#include "apps/rpt/interrupt.h"

namespace rpt::cli {
namespace {

// Carries a C++ visitor through the C callback: an exception waits outside.
template <class Visit>
struct Visitor {
    const Visit& visit;
    std::exception_ptr problem;

    template <class... Arguments>
    int32_t take(Arguments&&... arguments) {
        try {
            visit(std::forward<Arguments>(arguments)...);
            return 0;
        } catch (...) {
            problem = std::current_exception();
            return -1;
        }
    }
};

}  // namespace

CLI::App* add_memory_command(Registry& registry, CLI::App& memory, const std::string& name,
                             const std::string& description, const std::string& example,
                             std::string& store) {
    CLI::App* command = add_command(registry, memory, name, description, example);
    command->add_option("STORE", store, "Directory of the memory")->required();
    return command;
}

std::vector<SpaceName> list_spaces(rpt_store* store) {
    std::vector<SpaceName> names;
    const auto visit = [&](const char* owner, const char* collection) {
        names.push_back({owner, collection});
    };
    Visitor<decltype(visit)> visitor{visit, nullptr};
    Error error;
    const rpt_status status = rpt_store_list_spaces(
        store,
        [](void* user, const char* owner, const char* collection) {
            return static_cast<decltype(visitor)*>(user)->take(owner, collection);
        },
        &visitor, error.out());
    if (visitor.problem) std::rethrow_exception(visitor.problem);
    error.check(status);
    return names;
}

Space open_space(rpt_store* store, const SpaceName& name) {
    rpt_space* opened = nullptr;
    Error error;
    error.check(rpt_space_open(store, name.owner.c_str(), name.collection.c_str(), 0, &opened,
                               error.out()));
    return Space(opened);
}

rpt_store_stats read_stats(rpt_store* store) {
    rpt_store_stats stats = {};
    stats.struct_size = sizeof(stats);
    Error error;
    error.check(rpt_store_get_stats(store, &stats, error.out()));
    return stats;
}

std::string hex(const uint8_t* bytes, size_t size) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (size_t i = 0; i < size; ++i) {
        out += kDigits[bytes[i] >> 4];
        out += kDigits[bytes[i] & 15];
    }
    return out;
}

void list_documents(rpt_space* space,
                    const std::function<void(const std::string& key, const rpt_doc_info&)>& visit) {
    const auto each = [&](const char* key, const rpt_doc_info* info) {
        if (interrupted()) fail_stopped("");
        visit(key, *info);
    };
    Visitor<decltype(each)> visitor{each, nullptr};
    Error error;
    const rpt_status status = rpt_doc_list(
        space, nullptr,
        [](void* user, const char* key, const rpt_doc_info* info) {
            return static_cast<decltype(visitor)*>(user)->take(key, info);
        },
        &visitor, error.out());
    if (visitor.problem) std::rethrow_exception(visitor.problem);
    error.check(status);
}

std::string read_field(rpt_space* space, const std::string& key, int32_t field) {
    std::string out(512, '\0');  // most fit, and so cost one call
    for (;;) {
        Error error;
        size_t size = 0;
        error.check(rpt_doc_get_field(space, key.c_str(), field, out.data(), out.size(), &size,
                                      error.out()));
        const bool fits = size <= out.size();
        out.resize(size);
        if (fits) return out;
    }
}

nlohmann::ordered_json document_json(const SpaceName& space, const std::string& key,
                                     const rpt_doc_info& info) {
    return {{"owner", space.owner},
            {"collection", space.collection},
            {"key", key},
            {"bytes", info.bytes_accepted},
            {"tokens", info.tokens},
            {"chunks", info.chunks},
            {"revision", info.revision},
            {"timestamp_ms", info.timestamp_ms},
            {"finished", (info.flags & RPT_DOC_FINISHED) != 0}};
}

std::string format_time(int64_t timestamp_ms) {
    const std::time_t seconds = static_cast<std::time_t>(timestamp_ms / 1000);
    std::tm parts = {};
    gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    const size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &parts);
    return {text.data(), size};
}

}  // namespace rpt::cli
