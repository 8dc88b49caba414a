#include "lab/ways/way.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "core/model/reading.h"

namespace rpt::ways {
namespace {

constexpr uint32_t kMostChunks = 1024;

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
    throw Error(Status::kArgument, "rpt", "--way \"" + name.substr(0, 64) + "\": " + why);
}

uint32_t reading_named(const std::string& name, const std::string& names) {
    if (names == "none") return 0;
    const std::pair<const char*, uint32_t> known[] = {{"cca", model::kReadCca},
                                                      {"copy", model::kReadCopy},
                                                      {"upper", model::kReadUpper},
                                                      {"text", model::kReadText}};
    uint32_t sum = 0;
    for (size_t begin = 0; begin <= names.size();) {
        const size_t end = std::min(names.find(',', begin), names.size());
        const std::string one = names.substr(begin, end - begin);
        begin = end + 1;
        const auto* found =
            std::ranges::find_if(known, [&](const auto& k) { return one == k.first; });
        if (found == std::end(known))
            refuse(name, "write none, or cca, copy, upper, text with commas");
        sum |= found->second;
    }
    return sum;
}

uint32_t chunks_named(const std::string& name, const std::string& number) {
    uint32_t k = 0;
    const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), k);
    if (failed != std::errc() || end != number.data() + number.size() || k == 0 || k > kMostChunks)
        refuse(name, "behind @ stands a number of chunks, 1 to " + std::to_string(kMostChunks));
    return k;
}

}  // namespace

bool Way::chooses_chunks() const {
    return (reading & (model::kReadUpper | model::kReadText)) != 0;
}

Way parse_way(const std::string& name) {
    Way way;
    way.name = name;
    const size_t colon = std::min(name.find(':'), name.size());
    const size_t at = std::min(name.find('@'), colon);
    way.reading = reading_named(name, name.substr(0, at));
    if (at < colon) {
        if ((way.reading & ~model::kReadCopy) == 0)
            refuse(name, "it reads no chunks; leave out the @");
        way.k = chunks_named(name, name.substr(at + 1, colon - at - 1));
    }
    const std::pair<const char*, Chooser> known[] = {{"own", Chooser::kOwn},
                                                     {"bm25", Chooser::kWords},
                                                     {"oracle", Chooser::kOracle},
                                                     {"random", Chooser::kRandom},
                                                     {"nothing", Chooser::kNothing}};
    for (size_t begin = colon + 1; begin <= name.size();) {
        const size_t end = std::min(name.find(':', begin), name.size());
        const std::string one = name.substr(begin, end - begin);
        begin = end + 1;
        const auto* found =
            std::ranges::find_if(known, [&](const auto& k) { return one == k.first; });
        if (one == "4bit") {
            if ((way.reading & model::kReadUpper) == 0)
                refuse(name, "only the way upper reads states; leave out :4bit");
            way.four_bits = true;
        } else if (found != std::end(known)) {
            if (!way.chooses_chunks())
                refuse(name, "only upper and text let others choose; leave out :" + one);
            way.chooser = found->second;
        } else {
            refuse(name, "behind : stands own, bm25, oracle, random, nothing or 4bit");
        }
    }
    return way;
}

}  // namespace rpt::ways
