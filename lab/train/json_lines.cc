#include "lab/train/json_lines.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#ifdef RPT_HAS_ZSTD
#include <zstd.h>
#endif

namespace rpt::train {
namespace {

constexpr size_t kReadBytes = 1 << 17;

std::ifstream open_binary(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw Error(errno == ENOENT ? Status::kNotFound : Status::kIo, "os",
                    "cannot open \"" + path + "\": " + std::strerror(errno), -1, errno);
    }
    return file;
}

class PlainReader : public LineReader {
  public:
    explicit PlainReader(const std::string& path) : path_(path), file_(open_binary(path)) {}

    bool next(std::string& line) override {
        if (!std::getline(file_, line)) {
            if (file_.bad())
                throw Error(Status::kIo, "os", "cannot read \"" + path_ + "\"", -1, errno);
            return false;
        }
        read_ += line.size() + 1;
        return true;
    }
    uint64_t bytes_read() const override { return read_; }

  private:
    std::string path_;
    std::ifstream file_;
    uint64_t read_ = 0;
};

#ifdef RPT_HAS_ZSTD
class ZstdReader : public LineReader {
  public:
    explicit ZstdReader(const std::string& path)
        : path_(path),
          file_(open_binary(path)),
          stream_(ZSTD_createDStream(), &ZSTD_freeDStream),
          input_(kReadBytes),
          output_(ZSTD_DStreamOutSize()) {
        if (!stream_)
            throw Error(Status::kNoMemory, "zstd", "cannot start zstd on \"" + path + "\"");
    }

    bool next(std::string& line) override {
        line.clear();
        for (;;) {
            if (begin_ < end_) {
                const char* start = output_.data() + begin_;
                const auto* newline =
                    static_cast<const char*>(std::memchr(start, '\n', end_ - begin_));
                if (newline) {
                    line.append(start, newline);
                    begin_ += static_cast<size_t>(newline - start) + 1;
                    return true;
                }
                line.append(start, end_ - begin_);
                begin_ = end_ = 0;
            }
            if (!refill()) return !line.empty();
        }
    }
    uint64_t bytes_read() const override { return read_; }

  private:
    // Decompresses until there is output; false at the end of the file.
    bool refill() {
        for (;;) {
            if (in_.pos == in_.size) {
                file_.read(input_.data(), static_cast<std::streamsize>(input_.size()));
                const auto n = static_cast<size_t>(file_.gcount());
                if (n == 0) {
                    if (file_.bad())
                        throw Error(Status::kIo, "os", "cannot read \"" + path_ + "\"", -1, errno);
                    if (open_frame_)
                        throw Error(Status::kCorrupt, "zstd",
                                    "\"" + path_ + "\" ends inside a zstd frame");
                    return false;
                }
                read_ += n;
                in_ = {input_.data(), n, 0};
            }
            ZSTD_outBuffer out{output_.data(), output_.size(), 0};
            const size_t result = ZSTD_decompressStream(stream_.get(), &out, &in_);
            if (ZSTD_isError(result)) {
                throw Error(Status::kCorrupt, "zstd",
                            "cannot decompress \"" + path_ + "\": " + ZSTD_getErrorName(result));
            }
            open_frame_ = result != 0;
            if (out.pos > 0) {
                begin_ = 0;
                end_ = out.pos;
                return true;
            }
        }
    }

    std::string path_;
    std::ifstream file_;
    std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream_;
    std::vector<char> input_;
    std::vector<char> output_;
    ZSTD_inBuffer in_{nullptr, 0, 0};
    size_t begin_ = 0;  // unread part of output_
    size_t end_ = 0;
    uint64_t read_ = 0;
    bool open_frame_ = false;
};
#endif

std::string field(const nlohmann::json& from, const char* name) {
    const auto it = from.is_object() ? from.find(name) : from.end();
    return from.is_object() && it != from.end() && it->is_string() ? it->get<std::string>()
                                                                   : std::string();
}

// A line with its "files" still apart; without files, `document` holds the text.
struct Line {
    CorpusDocument document;
    bool has_files = false;
    nlohmann::json files;
};

Line parse_line(const std::string& text, const std::string& fallback_id) {
    nlohmann::json object;
    try {
        object = nlohmann::json::parse(text);
    } catch (const nlohmann::json::exception& error) {
        throw Error(Status::kCorrupt, "rpt", "document \"" + fallback_id + "\" is not valid json");
    }
    if (!object.is_object())
        throw Error(Status::kCorrupt, "rpt",
                    "document \"" + fallback_id + "\" is not a json object");
    Line line;
    CorpusDocument& document = line.document;
    document.source = field(object, "source");
    document.id = field(object, "id");
    if (document.id.empty()) document.id = document.source.empty() ? fallback_id : document.source;
    if (object.contains("text") && object["text"].is_string()) {
        document.text = object["text"].get<std::string>();
        return line;
    }
    if (!object.contains("files") || !object["files"].is_array()) {
        throw Error(Status::kCorrupt, "rpt",
                    "document \"" + document.id + "\" has neither \"text\" nor \"files\"");
    }
    line.has_files = true;
    line.files = std::move(object["files"]);
    return line;
}

std::string file_text(const nlohmann::json& file) {
    return "# " + field(file, "path") + "\n" + field(file, "text");
}

}  // namespace

std::unique_ptr<LineReader> LineReader::open(const std::string& path) {
    if (path.ends_with(".zst")) {
#ifdef RPT_HAS_ZSTD
        return std::make_unique<ZstdReader>(path);
#else
        throw Error(
            Status::kUnsupported, "zstd",
            "cannot read \"" + path + "\": this build has no zstd; decompress it to .jsonl first");
#endif
    }
    return std::make_unique<PlainReader>(path);
}

CorpusDocument parse_document(const std::string& line, const std::string& fallback_id) {
    Line parsed = parse_line(line, fallback_id);
    std::string& text = parsed.document.text;
    for (const auto& file : parsed.files) {
        if (!text.empty() && text.back() != '\n') text += '\n';
        text += file_text(file);
    }
    return std::move(parsed.document);
}

std::vector<CorpusDocument> parse_files(const std::string& line, const std::string& fallback_id) {
    Line parsed = parse_line(line, fallback_id);
    std::vector<CorpusDocument> documents;
    if (!parsed.has_files) {
        documents.push_back(std::move(parsed.document));
        return documents;
    }
    const CorpusDocument& whole = parsed.document;
    for (const auto& file : parsed.files) {
        const std::string path = field(file, "path");
        documents.push_back(
            {path.empty() ? whole.id + ":" + std::to_string(documents.size() + 1) : path, whole.id,
             whole.source, file_text(file)});
    }
    return documents;
}

}  // namespace rpt::train
