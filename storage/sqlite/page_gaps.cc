#include "storage/sqlite/page_gaps.h"

#include <algorithm>
#include <string>

namespace rpt::storage {
namespace {

// SQLite's file format, https://www.sqlite.org/fileformat2.html, sections 1.3, 1.6 and 1.8.
constexpr size_t kFileHeader = 100;
constexpr uint64_t kPendingByte = 1 << 30;
constexpr size_t kPointerBytes = 5;  // of a page in the pointer map: kind, parent
constexpr uint8_t kRootPage = 1, kTreePage = 5;
constexpr size_t kLeastBlock = 4;

uint32_t number(std::string_view bytes, size_t at, size_t size) {
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
    return value;
}

struct Layout {
    uint64_t page = 0, usable = 0;
    bool has_map = false;

    uint64_t pages_of_map() const {
        return usable / kPointerBytes;
    }  // that one page of it describes
    // The page of the map that describes `page`, or is it.
    uint64_t map_of(uint64_t number) const {
        const uint64_t owner = (number - 2) / (pages_of_map() + 1) * (pages_of_map() + 1) + 2;
        return owner == kPendingByte / page + 1 ? owner + 1 : owner;
    }
};

Layout layout_of(Connection& connection) {
    std::string header(kFileHeader, '\0');
    connection.read_file(header.data(), header.size(), 0);
    Layout layout;
    layout.page = number(header, 16, 2) == 1 ? 65536 : number(header, 16, 2);
    layout.usable = layout.page - number(header, 20, 1);
    layout.has_map = number(header, 52, 4) != 0;
    return layout;
}

}  // namespace

std::vector<ByteSpan> find_gaps(std::string_view page, size_t header) {
    const uint32_t kind = number(page, header, 1);
    const bool leaf = kind == 10 || kind == 13;
    if (!leaf && kind != 2 && kind != 5) return {};
    const uint64_t cells = number(page, header + 3, 2);
    const uint64_t content = number(page, header + 5, 2) == 0 ? 65536 : number(page, header + 5, 2);
    const uint64_t begin = header + (leaf ? 8 : 12) + cells * 2;
    if (begin > content || content > page.size()) return {};
    std::vector<ByteSpan> gaps{{begin, content}};
    uint64_t last = 0;
    for (uint64_t block = number(page, header + 1, 2); block != 0; block = number(page, block, 2)) {
        if (block < content || block <= last || block + kLeastBlock > page.size()) return {};
        const uint64_t size = number(page, block + 2, 2);
        if (size < kLeastBlock || block + size > page.size()) return {};
        gaps.push_back({block + kLeastBlock, block + size});
        last = block;
    }
    return gaps;
}

void wipe_gaps(Connection& connection, uint64_t first, uint64_t n) {
    const Layout layout = layout_of(connection);
    if (!layout.has_map || layout.page < 512 || layout.usable < 480) return;
    std::string page(layout.page, '\0'), map(layout.page, '\0');
    const std::string zeros(layout.page, '\0');
    uint64_t map_page = 0;
    for (uint64_t at = first; at < first + n; ++at) {
        const uint64_t offset = (at - 1) * layout.page;
        if (at > 1) {
            // Only the map tells a page of a tree from a page of a long value.
            const uint64_t owner = layout.map_of(at);
            if (owner >= at || at == kPendingByte / layout.page + 1) continue;
            if (owner != map_page)
                connection.read_file(map.data(), map.size(), (owner - 1) * layout.page);
            map_page = owner;
            const uint32_t kind = number(map, (at - owner - 1) * kPointerBytes, 1);
            if (kind != kRootPage && kind != kTreePage) continue;
        }
        connection.read_file(page.data(), page.size(), offset);
        for (const ByteSpan& gap : find_gaps(std::string_view(page).substr(0, layout.usable),
                                             at == 1 ? kFileHeader : 0)) {
            const std::string_view bytes = std::string_view(page).substr(gap.begin, gap.size());
            if (bytes.find_first_not_of('\0') == std::string_view::npos) continue;
            connection.write_file(zeros.data(), gap.size(), offset + gap.begin);
        }
    }
}

}  // namespace rpt::storage
