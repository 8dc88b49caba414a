#include "lab/train/target_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/crc32c.h"
#include "base/error.h"

namespace rpt::train {
namespace {

using Json = nlohmann::ordered_json;

// On disk, never renumber.
constexpr char kMagic[8] = {'R', 'P', 'T', 'T', 'A', 'R', 'G', '\n'};
constexpr uint32_t kFormatVersion = 1;
constexpr size_t kPrefixBytes = 16;      // magic, version, length of the JSON
constexpr size_t kRecordHeadBytes = 48;  // key, l, width, checksum of the body, of the head
constexpr uint32_t kLargestHeader = 1 << 20;
constexpr uint32_t kMostChunks = 1 << 24;

[[noreturn]] void corrupt(const std::string& path, const std::string& what, size_t offset) {
    throw Error(Status::kCorrupt, "rpt",
                "target cache \"" + path + "\": " + what + " at byte " + std::to_string(offset) +
                    "; delete the file and run rpt-lab targets again",
                static_cast<int64_t>(offset));
}

uint32_t read_u32(std::span<const std::byte> bytes, size_t at) {
    uint32_t value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

void put_u32(std::string& out, uint32_t value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

size_t body_bytes(uint32_t l, uint32_t width) {
    return static_cast<size_t>(l) * width * (sizeof(int32_t) + sizeof(float));
}

TargetCacheHeader parse_header(const std::string& text, const std::string& path) {
    const Json json = Json::parse(text, nullptr, false);
    TargetCacheHeader h;
    try {
        h.chunk = json.at("chunk").get<int64_t>();
        h.stride = json.at("stride").get<int64_t>();
        h.pool = json.at("pool").get<std::string>();
        h.candidates = json.at("candidates").get<int64_t>();
        h.tokenizer = json.at("tokenizer").get<std::string>();
        h.scorer = json.at("scorer").get<std::string>();
        h.scorer_sha256 = json.at("scorer_sha256").get<std::string>();
        h.context = json.at("context").get<std::string>();
        h.top = json.at("top").get<int64_t>();
        h.every = json.at("every").get<int64_t>();
    } catch (const Json::exception&) {
        corrupt(path, "the header lacks a key", kPrefixBytes);
    }
    return h;
}

struct Contents {
    TargetCacheHeader header;
    std::vector<std::pair<Digest, size_t>> records;  // key, offset
    size_t end = 0;                                  // of the last whole record
};

// Where the header ends; 0 where a killed run left a part of one.
size_t header_end(std::span<const std::byte> bytes, const std::string& path) {
    const size_t n = std::min(bytes.size(), sizeof kMagic);
    if (std::memcmp(bytes.data(), kMagic, n) != 0) corrupt(path, "not a target cache", 0);
    if (bytes.size() < kPrefixBytes) return 0;
    const uint32_t version = read_u32(bytes, 8), length = read_u32(bytes, 12);
    if (version != kFormatVersion) {
        throw Error(Status::kVersion, "rpt",
                    "target cache \"" + path + "\" has format " + std::to_string(version) +
                        ", this build reads " + std::to_string(kFormatVersion));
    }
    if (length > kLargestHeader) corrupt(path, "the header is too long", 12);
    const size_t end = kPrefixBytes + length;
    if (bytes.size() < end + 4) return 0;
    if (crc32c(bytes.data(), end) != read_u32(bytes, end))
        corrupt(path, "the header's checksum differs", end);
    return end + 4;
}

Contents scan(std::span<const std::byte> bytes, const std::string& path) {
    Contents found;
    size_t at = bytes.empty() ? 0 : header_end(bytes, path);
    if (at == 0) return found;
    found.header = parse_header(
        {reinterpret_cast<const char*>(bytes.data()) + kPrefixBytes, at - kPrefixBytes - 4}, path);
    while (bytes.size() - at >= kRecordHeadBytes) {
        const auto head = bytes.subspan(at, kRecordHeadBytes);
        if (crc32c(head.data(), kRecordHeadBytes - 4) != read_u32(head, kRecordHeadBytes - 4))
            corrupt(path, "a record's checksum differs", at);
        const uint32_t l = read_u32(head, 32), width = read_u32(head, 36);
        if (l > kMostChunks || width != static_cast<uint64_t>(found.header.candidates))
            corrupt(path, "a record's size is wrong", at);
        const size_t body = body_bytes(l, width);
        if (bytes.size() - at - kRecordHeadBytes < body) break;  // torn
        if (crc32c(bytes.data() + at + kRecordHeadBytes, body) != read_u32(head, 40))
            corrupt(path, "a record's checksum differs", at);
        Digest key;
        std::memcpy(key.data(), head.data(), key.size());
        found.records.emplace_back(key, at);
        at += kRecordHeadBytes + body;
    }
    found.end = at;
    return found;
}

ChunkLists lists_at(std::span<const std::byte> bytes, size_t at) {
    ChunkLists lists;
    const uint32_t l = read_u32(bytes, at + 32), width = read_u32(bytes, at + 36);
    const size_t slots = static_cast<size_t>(l) * width;
    lists.width = width;
    lists.chunk.resize(slots);
    lists.score.resize(slots);
    const std::byte* body = bytes.data() + at + kRecordHeadBytes;
    std::memcpy(lists.chunk.data(), body, slots * 4);
    std::memcpy(lists.score.data(), body + slots * 4, slots * 4);
    return lists;
}

void require_equal(const std::string& path, const char* what, const std::string& has,
                   const std::string& wanted) {
    if (has == wanted) return;
    throw Error(Status::kModelMismatch, "rpt",
                "target cache \"" + path + "\" was made for " + what + " " + has +
                    ", this model has " + wanted +
                    "; run rpt-lab targets with its configuration into another file");
}

}  // namespace

std::string TargetCacheHeader::to_json() const {
    return Json{{"chunk", chunk},
                {"stride", stride},
                {"pool", pool},
                {"candidates", candidates},
                {"tokenizer", tokenizer},
                {"scorer", scorer},
                {"scorer_sha256", scorer_sha256},
                {"context", context},
                {"top", top},
                {"every", every}}
        .dump();
}

TargetCacheHeader target_cache_header(const model::ModelConfig& model, int64_t candidates) {
    TargetCacheHeader header;
    header.chunk = model.chunk;
    header.stride = model.stride;
    header.pool = Json::parse(model.to_json())["pool"].get<std::string>();
    header.candidates = candidates;
    return header;
}

Digest target_key(std::span<const int32_t> inputs, int64_t n_tokens) {
    Sha256 hash;
    hash.update(inputs.data(), inputs.size_bytes());
    hash.update(&n_tokens, sizeof n_tokens);
    return hash.finish();
}

TargetCache::TargetCache(const std::string& path) : path_(path), file_(path) {
    Contents contents = scan(file_.bytes(), path);
    if (contents.end == 0) corrupt(path, "the header is not whole", 0);
    header_ = std::move(contents.header);
    for (const auto& [key, offset] : contents.records) {
        if (places_.emplace(key, offset).second) order_.push_back(offset);
    }
}

std::shared_ptr<const TargetCache> TargetCache::open(const std::string& path,
                                                     const model::ModelConfig& model,
                                                     int64_t candidates) {
    std::shared_ptr<const TargetCache> cache(new TargetCache(path));
    const TargetCacheHeader wanted = target_cache_header(model, candidates);
    const auto& has = cache->header_;
    require_equal(path, "chunks of", std::to_string(has.chunk), std::to_string(wanted.chunk));
    require_equal(path, "a stride of", std::to_string(has.stride), std::to_string(wanted.stride));
    require_equal(path, "the pool rule", has.pool, wanted.pool);
    require_equal(path, "a number of candidates of", std::to_string(has.candidates),
                  std::to_string(wanted.candidates));
    for (const size_t offset : cache->order_) {
        const ChunkLists lists = lists_at(cache->file_.bytes(), offset);
        for (size_t slot = 0; slot < lists.chunk.size(); ++slot) {
            const auto i = static_cast<int64_t>(slot) / lists.width;
            const bool known =
                lists.chunk[slot] >= -1 &&
                lists.chunk[slot] <= std::max<int64_t>(-1, model::last_retrievable(model, i));
            if (!known || !std::isfinite(lists.score[slot]))
                corrupt(path, "a candidate is outside its pool", offset);
        }
    }
    return cache;
}

std::optional<ChunkLists> TargetCache::find(std::span<const int32_t> inputs,
                                            int64_t n_tokens) const {
    const auto it = places_.find(target_key(inputs, n_tokens));
    if (it == places_.end()) return std::nullopt;
    ChunkLists lists = lists_at(file_.bytes(), it->second);
    const size_t l = inputs.size() / static_cast<size_t>(header_.chunk);
    if (lists.chunk.size() != l * static_cast<size_t>(lists.width))
        corrupt(path_, "a record has another number of chunks than its piece", it->second);
    return lists;
}

ChunkLists TargetCache::at(size_t number) const {
    return lists_at(file_.bytes(), order_.at(number));
}

TargetCacheWriter::TargetCacheWriter(const std::string& path, const TargetCacheHeader& header)
    : path_(path), candidates_(header.candidates) {
    size_t end = 0;
    if (std::filesystem::exists(path)) {
        const MappedFile file(path);
        Contents contents = scan(file.bytes(), path);
        end = contents.end;
        if (end > 0 && contents.header != header) {
            throw Error(Status::kModelMismatch, "rpt",
                        "target cache \"" + path + "\" holds scores made as " +
                            contents.header.to_json() + "; name another file");
        }
        known_.insert(contents.records.begin(), contents.records.end());
    }
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0 || ::ftruncate(fd_, static_cast<off_t>(end)) != 0 ||
        ::lseek(fd_, 0, SEEK_END) < 0) {
        const int code = errno;
        if (fd_ >= 0) ::close(fd_);
        throw Error(Status::kIo, "os", "cannot write \"" + path + "\": " + std::strerror(code), -1,
                    code);
    }
    if (end > 0) return;
    const std::string json = header.to_json() + "\n";
    std::string bytes(kMagic, sizeof kMagic);
    put_u32(bytes, kFormatVersion);
    put_u32(bytes, static_cast<uint32_t>(json.size()));
    bytes += json;
    put_u32(bytes, crc32c(bytes.data(), bytes.size()));
    try {
        write(bytes);
    } catch (...) {
        ::close(fd_);
        throw;
    }
}

TargetCacheWriter::~TargetCacheWriter() {
    ::close(fd_);
}

bool TargetCacheWriter::contains(std::span<const int32_t> inputs, int64_t n_tokens) const {
    return known_.contains(target_key(inputs, n_tokens));
}

void TargetCacheWriter::add(std::span<const int32_t> inputs, int64_t n_tokens,
                            const ChunkLists& lists) {
    RPT_CHECK(lists.width == candidates_ && lists.chunk.size() == lists.score.size());
    const Digest key = target_key(inputs, n_tokens);
    if (!known_.emplace(key, 0).second) return;
    std::string body(reinterpret_cast<const char*>(lists.chunk.data()), lists.chunk.size() * 4);
    body.append(reinterpret_cast<const char*>(lists.score.data()), lists.score.size() * 4);
    std::string record(reinterpret_cast<const char*>(key.data()), key.size());
    put_u32(record, static_cast<uint32_t>(lists.chunk.size()) / static_cast<uint32_t>(lists.width));
    put_u32(record, static_cast<uint32_t>(lists.width));
    put_u32(record, crc32c(body.data(), body.size()));
    put_u32(record, crc32c(record.data(), record.size()));
    write(record + body);
}

void TargetCacheWriter::write(const std::string& bytes) {
    for (size_t done = 0; done < bytes.size();) {
        const ssize_t n = ::write(fd_, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            const int code = errno;
            throw Error(code == ENOSPC ? Status::kNoSpace : Status::kIo, "os",
                        "cannot write \"" + path_ + "\": " + std::strerror(code), -1, code);
        }
        done += static_cast<size_t>(n);
    }
}

}  // namespace rpt::train
