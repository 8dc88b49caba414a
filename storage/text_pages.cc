#include "storage/text_pages.h"

#include <algorithm>

#include "base/error.h"
#include "storage/blob_codec.h"

namespace rpt::storage {

void append_text(Connection& connection, DocumentRow& row, TextTail& tail, std::string_view text,
                 int level) {
    if (row.text_discarded || text.empty()) {
        row.info.bytes += text.size();
        return;
    }
    const auto space = static_cast<int64_t>(row.space),
               document = static_cast<int64_t>(row.info.id);
    uint64_t page = row.info.bytes / kPageBytes;
    row.info.bytes += text.size();
    while (!text.empty()) {
        const size_t taken = std::min(kPageBytes - tail.raw.size(), text.size());
        tail.raw.append(text.substr(0, taken));
        text.remove_prefix(taken);
        const std::string body = encode_page(tail.raw, level);
        Query(
            connection,
            "INSERT INTO text_pages(space_id, document_id, page, seal, body) VALUES(?, ?, ?, ?, ?) "
            "ON CONFLICT(space_id, document_id, page) DO UPDATE SET seal = excluded.seal, body = "
            "excluded.body")
            .bind(space)
            .bind(document)
            .bind(static_cast<int64_t>(page))
            .bind(seal_page(row.space, row.info.id, page, body))
            .bind_blob(body)
            .run();
        row.text_disk += body.size() - tail.raw_disk;
        tail.raw_disk = body.size();
        if (tail.raw.size() == kPageBytes) {
            tail = {};
            ++page;
        }
    }
}

std::string read_text_pages(Connection& connection, const DocumentRow& row, uint64_t offset,
                            uint64_t size) {
    if (row.text_discarded)
        throw Error(Status::kUnsupported, "rpt",
                    "the text of \"" + row.info.key +
                        "\" was not kept; read the document again without discarding it");
    std::string text;
    if (offset >= row.info.bytes) return text;
    size = std::min(size, row.info.bytes - offset);
    uint64_t page = offset / kPageBytes;
    size_t skip = static_cast<size_t>(offset % kPageBytes);
    Query query(connection,
                "SELECT page, seal, body FROM text_pages WHERE space_id = ? AND document_id = ? "
                "AND page >= ? ORDER BY page");
    query.bind(static_cast<int64_t>(row.space))
        .bind(static_cast<int64_t>(row.info.id))
        .bind(static_cast<int64_t>(page));
    while (text.size() < size) {
        std::optional<std::string> raw;
        if (query.step() && query.count(0) == page &&
            query.count(1) == seal_page(row.space, row.info.id, page, query.blob(2)))
            raw = decode_page(query.blob(2));
        const uint64_t expected =
            std::min<uint64_t>(kPageBytes, row.info.bytes - page * kPageBytes);
        if (!raw || raw->size() != expected)
            throw Error(Status::kCorrupt, "rpt",
                        "\"" + row.info.key + "\": page " + std::to_string(page) +
                            " of its text is missing or its checksum differs; restore a backup or "
                            "read the document again",
                        static_cast<int64_t>(page * kPageBytes));
        text.append(*raw, skip, static_cast<size_t>(size - text.size()));
        skip = 0;
        ++page;
    }
    return text;
}

}  // namespace rpt::storage
