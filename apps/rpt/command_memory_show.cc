// rpt memory show STORE KEY: one document: its facts and chunks, or its text.
#include <CLI/App.hpp>
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "apps/rpt/interrupt.h"
#include "apps/rpt/memory_access.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store, key;
    bool text = false, segments = false, record = false;
    int64_t chunk = -1;  // -1: all
};

std::string read_bytes(rpt_space* space, const std::string& key, uint64_t begin, uint64_t size) {
    std::string out(size, '\0');
    size_t got = 0;
    Error error;
    error.check(rpt_doc_read(space, key.c_str(), begin, out.data(), out.size(), &got, error.out()));
    out.resize(got);
    return out;
}

rpt_chunk_info read_chunk(rpt_space* space, const std::string& key, uint64_t ordinal) {
    rpt_chunk_info info = {};
    info.struct_size = sizeof(info);
    Error error;
    error.check(rpt_doc_get_chunk(space, key.c_str(), ordinal, &info, error.out()));
    return info;
}

std::string read_part(rpt_space* space, const std::string& key, uint64_t ordinal, int32_t part) {
    Error error;
    size_t size = 0;
    error.check(
        rpt_doc_read_chunk(space, key.c_str(), ordinal, part, nullptr, 0, &size, error.out()));
    std::string bytes(size, '\0');
    error.check(rpt_doc_read_chunk(space, key.c_str(), ordinal, part, bytes.data(), bytes.size(),
                                   &size, error.out()));
    return bytes;
}

template <typename Number>
std::vector<Number> numbers(const std::string& bytes) {
    std::vector<Number> out(bytes.size() / sizeof(Number));
    std::memcpy(out.data(), bytes.data(), out.size() * sizeof(Number));
    return out;
}

template <typename Number>
std::string print_numbers(const std::vector<Number>& values) {
    std::string text;
    for (const Number value : values) {
        if (!text.empty()) text += ' ';
        if constexpr (std::is_integral_v<Number>) {
            text += std::to_string(value);
        } else {
            text += format_fixed(value, 4);
        }
    }
    return text;
}

// Everything that the record of one chunk holds.
void show_record(const Settings& settings, rpt_space* space, const std::string& key,
                 uint64_t ordinal, nlohmann::ordered_json& json) {
    const auto tokens = numbers<int32_t>(read_part(space, key, ordinal, RPT_CHUNK_TOKENS));
    const auto chunk_key = numbers<float>(read_part(space, key, ordinal, RPT_CHUNK_KEY));
    const auto states = numbers<float>(read_part(space, key, ordinal, RPT_CHUNK_STATES));
    if (settings.json) {
        json["token_ids"] = tokens;
        json["key"] = chunk_key;
        json["states"] = states;
        return;
    }
    print_line("tokens " + print_numbers(tokens));
    print_line("key " + print_numbers(chunk_key));
    const size_t dim = tokens.empty() ? 0 : states.size() / tokens.size();
    for (size_t token = 0; dim > 0 && (token + 1) * dim <= states.size(); ++token)
        print_line(
            "state " + std::to_string(token) + ": " +
            print_numbers(std::vector<float>(states.begin() + ptrdiff_t(token * dim),
                                             states.begin() + ptrdiff_t((token + 1) * dim))));
    if (states.empty()) print_line("states are not on the disk; a budget took them");
}

nlohmann::ordered_json show_segments(const Settings& settings, rpt_space* space,
                                     const std::string& key) {
    auto list = nlohmann::ordered_json::array();
    for (uint64_t number = 0;; ++number) {
        if (interrupted()) fail_stopped("");
        rpt_segment_info info = {};
        info.struct_size = sizeof(info);
        Error error;
        const rpt_status status =
            rpt_doc_get_segment(space, key.c_str(), number, &info, error.out());
        if (status == RPT_ERR_NOT_FOUND) return list;
        error.check(status);
        const std::string identity = hex(info.identity, sizeof(info.identity));
        list.push_back({{"segment", info.segment_id},
                        {"begin", info.span.begin},
                        {"end", info.span.end},
                        {"chunks", info.chunks},
                        {"identity", identity}});
        if (!settings.json)
            print_line("segment " + std::to_string(info.segment_id) + "  [" +
                       std::to_string(info.span.begin) + ", " + std::to_string(info.span.end) +
                       ")  " + std::to_string(info.chunks) + " chunks  " + identity.substr(0, 16));
    }
}

void print_text(rpt_space* space, const std::string& key, uint64_t bytes) {
    constexpr uint64_t kPiece = 1 << 20;
    for (uint64_t at = 0; at < bytes && !reader_left(); at += kPiece) {
        if (interrupted()) fail_stopped("");
        print(read_bytes(space, key, at, std::min(kPiece, bytes - at)));
    }
    flush_output();
}

// What the store keeps of a document besides its text. Bytes of a token are means over the store.
void show_kept(const Settings& settings, const rpt_store_stats& stats, uint64_t chunks,
               uint64_t with_states, nlohmann::ordered_json& json) {
    const auto of_token = [&](uint64_t bytes) {
        return stats.tokens == 0 ? 0 : double(bytes) / double(stats.tokens);
    };
    const double states = of_token(stats.state_bytes_disk),
                 pointers = of_token(stats.pointer_bytes);
    if (settings.json) {
        json["chunks_with_states"] = with_states;
        json["state_bytes_per_token"] = states;
        json["pointer_bytes_per_token"] = pointers;
        return;
    }
    print_line("kept: states of " + format_count(with_states) + " of " + format_count(chunks) +
               " chunks, " + format_fixed(states, 0) + " bytes a token" +
               (pointers > 0 ? "; pointer keys of every token, " + format_fixed(pointers, 0) +
                                   " bytes a token"
                             : "") +
               " (mean over the memory)");
}

int run(const Settings& settings, const Options& options) {
    Workplace place(settings);
    place.open_store(settings, options.store, Access::kRead);
    const SpaceName name{settings.owner, settings.collections.front()};
    const Space space = open_space(place.store.get(), name);
    rpt_doc_info info = {};
    info.struct_size = sizeof(info);
    Error error;
    error.check(rpt_doc_stat(space.get(), options.key.c_str(), &info, error.out()));
    if (options.text && !settings.json && options.chunk < 0) {
        print_text(space.get(), options.key, info.bytes_accepted);
        return kExitDone;
    }

    if (options.segments && !settings.json) {
        show_segments(settings, space.get(), options.key);
        flush_output();
        return kExitDone;
    }
    nlohmann::ordered_json json = document_json(name, options.key, info);
    json["uri"] = read_field(space.get(), options.key, RPT_FIELD_URI);
    json["content_hash"] = hex(info.content_hash, sizeof(info.content_hash));
    if (options.text && options.chunk < 0)
        json["text"] = read_bytes(space.get(), options.key, 0, info.bytes_accepted);
    if (options.segments) json["segments"] = show_segments(settings, space.get(), options.key);
    json["chunk_records"] = nlohmann::ordered_json::array();
    const uint64_t first = options.chunk < 0 ? 0 : static_cast<uint64_t>(options.chunk);
    const uint64_t last = options.chunk < 0 ? info.chunks : first + 1;
    if (!settings.json && options.chunk < 0) {
        print_line(printable(options.key) + "  revision " + std::to_string(info.revision) + ", " +
                   format_time(info.timestamp_ms) + ", " + format_size(info.bytes_accepted) + ", " +
                   format_count(info.tokens) + " tokens, " + format_count(info.chunks) + " chunks" +
                   ((info.flags & RPT_DOC_FINISHED) != 0 ? "" : ", unfinished"));
    }
    uint64_t with_states = 0;
    for (uint64_t ordinal = first; ordinal < last && !reader_left(); ++ordinal) {
        if (interrupted()) fail_stopped("");
        const rpt_chunk_info chunk = read_chunk(space.get(), options.key, ordinal);
        with_states += chunk.state_rms > 0;
        const bool provisional = (chunk.flags & RPT_CHUNK_PROVISIONAL) != 0;
        const std::string text = read_bytes(space.get(), options.key, chunk.span.begin,
                                            chunk.span.end - chunk.span.begin);
        if (settings.json) {
            json["chunk_records"].push_back({{"chunk", chunk.ordinal},
                                             {"begin", chunk.span.begin},
                                             {"end", chunk.span.end},
                                             {"tokens", chunk.tokens},
                                             {"provisional", provisional},
                                             {"key_norm", chunk.key_norm},
                                             {"state_rms", chunk.state_rms},
                                             {"text", text}});
            continue;
        }
        print_line(
            "chunk " + std::to_string(ordinal) + "  [" + std::to_string(chunk.span.begin) + ", " +
            std::to_string(chunk.span.end) + ")  " + std::to_string(chunk.tokens) + " tokens" +
            (provisional ? ", provisional" : "") + "  |key| " + format_fixed(chunk.key_norm, 2) +
            "  rms " + format_fixed(chunk.state_rms, 3) +
            (options.chunk < 0 ? "  \"" + first_line(text, 50) + "\"" : "\n" + printable(text)));
    }
    if (options.chunk < 0)
        show_kept(settings, read_stats(place.store.get()), info.chunks, with_states, json);
    if (options.record) show_record(settings, space.get(), options.key, first, json);
    if (settings.json) print_json(json);
    flush_output();
    return kExitDone;
}

}  // namespace

void register_memory_show(Registry& registry, CLI::App& memory) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_memory_command(
        registry, memory, "show", "Show one document, chunk by chunk or its text",
        "rpt memory show notes README.md --chunk 3", options->store);
    command->add_option("KEY", options->key, "Name of the document")->required();
    auto* chunk = command->add_option("--chunk", options->chunk, "This chunk alone, in full")
                      ->type_name("N")
                      ->check(CLI::NonNegativeNumber);
    command->add_flag("--record", options->record, "With its token ids, key and states")
        ->needs(chunk);
    command->add_flag("--segments", options->segments, "The segments that its text is cut into")
        ->excludes(chunk);
    command->add_flag("--text", options->text, "The whole text, byte for byte")->excludes(chunk);
    add_space_options(*command, registry.settings, false);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
