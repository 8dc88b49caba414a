// Reads a corpus: one JSON object a line, from a plain or a zstd-compressed file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rpt::train {

// Lines of a file without their "\n". One thread at a time.
class LineReader {
  public:
    // ".zst" files are decompressed as they are read. Throws kNotFound, kIo, kUnsupported (a build
    // without zstd).
    static std::unique_ptr<LineReader> open(const std::string& path);
    virtual ~LineReader() = default;

    // False at the end of the file. Throws kIo, kCorrupt (a broken zstd frame).
    virtual bool next(std::string& line) = 0;
    // Bytes of the file read so far, before decompression, for progress.
    virtual uint64_t bytes_read() const = 0;
};

struct CorpusDocument {
    std::string id;
    std::string collection;  // empty: the input's
    std::string source;
    std::string text;
};

// A line with "text", or with "files":[{"path","text"}], which become one text: each file after a
// "# path" line. `fallback_id` names a document that has neither "id" nor "source". Throws kCorrupt
// naming what is missing.
CorpusDocument parse_document(const std::string& line, const std::string& fallback_id);
// As above, but each of "files" is a document of its own, named by its path, and the line's id is
// their collection.
std::vector<CorpusDocument> parse_files(const std::string& line, const std::string& fallback_id);

}  // namespace rpt::train
