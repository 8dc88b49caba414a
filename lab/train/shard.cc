#include "lab/train/shard.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace rpt::train {
namespace {

// On disk, never renumber: docs/format/shards.md.
constexpr char kMagic[8] = {'R', 'P', 'T', 'S', 'H', 'A', 'R', 'D'};
constexpr uint32_t kVersion = 1;

struct Header {
    char magic[8];
    uint32_t version;
    uint32_t token_bytes;
    uint64_t n_tokens;
    uint32_t vocab;
    uint32_t reserved;
    uint8_t tokenizer[32];
};
static_assert(sizeof(Header) == 64);

uint32_t bytes_per_token(uint32_t vocab) {
    return vocab <= 65536 ? 2 : 4;
}
std::string index_path(const std::string& path) {
    return path + ".json";
}

[[noreturn]] void corrupt(const std::string& path, const std::string& why) {
    throw Error(Status::kCorrupt, "rpt", "shard \"" + path + "\": " + why + "; prepare it again");
}

[[noreturn]] void io_error(const std::string& what, const std::string& path) {
    const int code = errno;
    throw Error(code == ENOENT ? Status::kNotFound : Status::kIo, "os",
                "cannot " + what + " \"" + path + "\": " + std::strerror(code), -1, code);
}

}  // namespace

ShardWriter::ShardWriter(const std::string& path, const ShardVocabulary& vocabulary)
    : path_(path),
      vocabulary_(vocabulary),
      file_(path + ".tmp", std::ios::binary | std::ios::trunc) {
    if (!file_) io_error("create shard", path_ + ".tmp");
    Header header{};
    write(&header, sizeof header);  // filled in by finish()
}

ShardWriter::~ShardWriter() {
    if (!finished_) std::remove((path_ + ".tmp").c_str());
}

void ShardWriter::write(const void* data, size_t size) {
    file_.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
    if (!file_) io_error("write shard", path_);
}

void ShardWriter::add(ShardDocument document, std::span<const int32_t> tokens) {
    for (const int32_t id : tokens) {
        if (id < 0 || static_cast<uint32_t>(id) >= vocabulary_.size) {
            throw Error(Status::kArgument, "rpt",
                        "document \"" + document.id + "\" holds token " + std::to_string(id) +
                            ", outside the vocabulary of " + std::to_string(vocabulary_.size));
        }
    }
    document.offset = tokens_;
    document.tokens = tokens.size();
    if (bytes_per_token(vocabulary_.size) == 2) {
        std::vector<uint16_t> narrow(tokens.begin(), tokens.end());
        hash_.update(narrow.data(), narrow.size() * 2);
        write(narrow.data(), narrow.size() * 2);
    } else {
        hash_.update(tokens.data(), tokens.size() * 4);
        write(tokens.data(), tokens.size() * 4);
    }
    tokens_ += tokens.size();
    documents_.push_back(std::move(document));
}

void ShardWriter::finish() {
    Header header{};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.version = kVersion;
    header.token_bytes = bytes_per_token(vocabulary_.size);
    header.n_tokens = tokens_;
    header.vocab = vocabulary_.size;
    std::memcpy(header.tokenizer, vocabulary_.tokenizer.data(), 32);
    file_.seekp(0);
    write(&header, sizeof header);
    file_.close();
    if (!file_) io_error("write shard", path_);

    nlohmann::ordered_json index = {{"format", "rpt-shard"},
                                    {"version", kVersion},
                                    {"n_tokens", tokens_},
                                    {"vocab", vocabulary_.size},
                                    {"bos", vocabulary_.bos},
                                    {"eos", vocabulary_.eos},
                                    {"pad", vocabulary_.pad},
                                    {"tokenizer_sha256", to_hex(vocabulary_.tokenizer)},
                                    {"tokens_sha256", to_hex(hash_.finish())}};
    if (vocabulary_.has_fim()) {
        index["fim_prefix"] = vocabulary_.fim_prefix;
        index["fim_suffix"] = vocabulary_.fim_suffix;
        index["fim_middle"] = vocabulary_.fim_middle;
    }
    auto& list = index["documents"] = nlohmann::ordered_json::array();
    for (const ShardDocument& d : documents_) {
        list.push_back({{"id", d.id},
                        {"collection", d.collection},
                        {"source", d.source},
                        {"offset", d.offset},
                        {"tokens", d.tokens},
                        {"bytes", d.bytes}});
    }
    const std::string temporary = index_path(path_) + ".tmp";
    {
        std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
        out << index.dump(0, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
        out.close();
        if (!out) io_error("write shard index", temporary);
    }
    // the index goes last: a shard without its index is refused, an index without its shard cannot
    // be
    if (std::rename((path_ + ".tmp").c_str(), path_.c_str()) != 0) io_error("rename shard", path_);
    if (std::rename(temporary.c_str(), index_path(path_).c_str()) != 0)
        io_error("rename shard index", path_);
    finished_ = true;
}

std::shared_ptr<const Shard> Shard::open(const std::string& path, bool verify) {
    std::shared_ptr<Shard> shard(new Shard);
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) io_error("open shard", path);
    struct stat info {};
    const bool sized = ::fstat(fd, &info) == 0;
    const auto size = static_cast<size_t>(info.st_size);
    void* map = sized && size >= sizeof(Header)
                    ? ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0)
                    : MAP_FAILED;
    ::close(fd);
    if (map == MAP_FAILED) corrupt(path, "shorter than its header");
    shard->map_ = static_cast<const std::byte*>(map);
    shard->map_size_ = size;

    Header header;
    std::memcpy(&header, map, sizeof header);
    if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) corrupt(path, "not a token shard");
    if (header.version != kVersion) {
        throw Error(Status::kVersion, "rpt",
                    "shard \"" + path + "\" has version " + std::to_string(header.version) +
                        "; this program reads version " + std::to_string(kVersion));
    }
    if (header.token_bytes != bytes_per_token(header.vocab))
        corrupt(path, "token size does not fit the vocabulary");
    if (header.n_tokens != (size - sizeof(Header)) / header.token_bytes ||
        size != sizeof(Header) + header.n_tokens * header.token_bytes) {
        corrupt(path, "file size does not fit its number of tokens");
    }
    shard->token_bytes_ = header.token_bytes;
    shard->n_tokens_ = header.n_tokens;
    shard->vocabulary_.size = header.vocab;
    std::memcpy(shard->vocabulary_.tokenizer.data(), header.tokenizer, 32);

    std::ifstream in(index_path(path), std::ios::binary);
    if (!in) io_error("open shard index", index_path(path));
    try {
        const auto index = nlohmann::json::parse(in);
        if (index.at("format") != "rpt-shard" || index.at("n_tokens") != header.n_tokens ||
            index.at("tokenizer_sha256") != to_hex(shard->vocabulary_.tokenizer)) {
            corrupt(path, "index and tokens do not belong together");
        }
        shard->vocabulary_.bos = index.at("bos");
        shard->vocabulary_.eos = index.at("eos");
        shard->vocabulary_.pad = index.at("pad");
        for (const auto& [name, id] : {std::pair{"fim_prefix", &shard->vocabulary_.fim_prefix},
                                       {"fim_suffix", &shard->vocabulary_.fim_suffix},
                                       {"fim_middle", &shard->vocabulary_.fim_middle}}) {
            *id = index.value(name, -1);
            if (*id < -1 || *id >= static_cast<int64_t>(header.vocab))
                corrupt(path, std::string(name) + " lies outside the vocabulary");
        }
        for (const auto& d : index.at("documents")) {
            ShardDocument document{d.at("id"),     d.at("collection"), d.at("source"),
                                   d.at("offset"), d.at("tokens"),     d.at("bytes")};
            if (document.offset > header.n_tokens ||
                document.tokens > header.n_tokens - document.offset) {
                corrupt(path, "document \"" + document.id + "\" reaches past the end");
            }
            shard->documents_.push_back(std::move(document));
        }
        if (verify && to_hex(sha256(shard->map_ + sizeof(Header), size - sizeof(Header))) !=
                          index.at("tokens_sha256")) {
            corrupt(path, "checksum of the tokens differs");
        }
    } catch (const nlohmann::json::exception&) {
        corrupt(path, "index is not valid");
    }
    return shard;
}

Shard::~Shard() {
    if (map_) ::munmap(const_cast<std::byte*>(map_), map_size_);
}

std::vector<int32_t> Shard::read(size_t document, uint64_t begin, uint64_t count) const {
    RPT_CHECK(document < documents_.size());
    const ShardDocument& d = documents_[document];
    RPT_CHECK(begin <= d.tokens && count <= d.tokens - begin);
    const std::byte* at = map_ + sizeof(Header) + (d.offset + begin) * token_bytes_;
    std::vector<int32_t> tokens(count);
    if (token_bytes_ == 2) {
        std::vector<uint16_t> narrow(count);
        std::memcpy(narrow.data(), at, count * 2);
        tokens.assign(narrow.begin(), narrow.end());
    } else {
        std::memcpy(tokens.data(), at, count * 4);
    }
    return tokens;
}

}  // namespace rpt::train
