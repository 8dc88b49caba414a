#include "apps/rpt-lab/evaluation_file.h"

#include <filesystem>

#include "apps/rpt-lab/text_files.h"
#include "base/error.h"

namespace rpt::lab {
namespace {

using Json = nlohmann::json;

eval::ReadDocument document_of(const Json& json, const std::string& row, const std::string& path) {
    if (!json.at("rows").contains(row)) {
        std::string known;
        for (const auto& [name, unused] : json.at("rows").items()) {
            if (!known.empty()) known += ", ";
            known += name;
        }
        throw Error(Status::kArgument, "rpt",
                    "\"" + path + "\" has no row \"" + row + "\"; it has " + known);
    }
    const Json& scores = json["rows"][row];
    eval::ReadDocument document;
    document.id = json.at("id");
    document.collection = json.at("collection");
    document.tokens = json.at("tokens");
    document.bytes = json.at("bytes");
    document.nats = scores.at("nats").get<double>() * static_cast<double>(document.tokens);
    if (!json.contains("chunks")) return document;
    document.chunk_nats = scores.at("chunk_nats").get<std::vector<double>>();
    document.spans = json["chunks"].at("spans").get<std::vector<int64_t>>();
    document.chunk_tokens = json["chunks"].at("tokens").get<std::vector<int64_t>>();
    document.chunk_flags = json["chunks"].at("flags");
    int64_t entries = 0;
    for (const int64_t in_span : document.spans) entries += in_span;
    const auto size = static_cast<size_t>(entries);
    if (document.chunk_nats.size() != size || document.chunk_tokens.size() != size ||
        document.chunk_flags.size() != size) {
        throw Error(Status::kCorrupt, "rpt",
                    "\"" + path + "\": chunks of document \"" + document.id +
                        "\" differ in number; evaluate again");
    }
    return document;
}

[[noreturn]] void refuse(const std::string& path) {
    throw Error(Status::kCorrupt, "rpt",
                "\"" + path + "\" is not what rpt-lab eval --out writes; evaluate again");
}

}  // namespace

nlohmann::json read_evaluation(const std::string& path) {
    Json json = Json::parse(read_file(path), nullptr, false);
    if (!json.is_object() || !json.contains("rows") || !json.contains("raw")) refuse(path);
    return json;
}

eval::Reading reading_of(const nlohmann::json& evaluation, const std::string& path,
                         std::string& row) {
    try {
        if (row.empty()) row = evaluation.at("usual_row").get<std::string>();
        eval::Reading reading;
        reading.chunk = evaluation.at("chunk");
        reading.retrieves = evaluation.at("usual_row") != "none";
        for (const Json& document : evaluation.at("raw"))
            reading.documents.push_back(document_of(document, row, path));
        return reading;
    } catch (const Json::exception&) {
        refuse(path);
    }
}

eval::System read_system(const std::string& text, const std::string& row) {
    eval::System system;
    std::string files = text, wanted = row;
    if (const size_t equals = text.find('='); equals != std::string::npos) {
        system.name = text.substr(0, equals);
        files = text.substr(equals + 1);
        if (const size_t colon = system.name.find(':'); colon != std::string::npos) {
            wanted = system.name.substr(colon + 1);
            system.name.resize(colon);
        }
    } else {
        system.name = std::filesystem::path(text).stem().string();
    }
    for (size_t at = 0; at <= files.size();) {
        const size_t end = std::min(files.find(',', at), files.size());
        const std::string path = files.substr(at, end - at);
        at = end + 1;
        if (path.empty()) continue;
        std::string read = wanted;
        system.trainings.push_back(reading_of(read_evaluation(path), path, read));
        if (!system.row.empty() && system.row != read) {
            throw Error(
                Status::kArgument, "rpt",
                "the files of \"" + system.name + "\" are of different kinds of model; name a row");
        }
        system.row = read;
    }
    if (system.name.empty() || system.trainings.empty()) {
        throw Error(Status::kArgument, "rpt",
                    "\"" + text + "\" names no system; write NAME=FILE or NAME=FILE,FILE");
    }
    return system;
}

}  // namespace rpt::lab
