#include "apps/rpt/chat_turns.h"

#include <locale.h>
#include <wctype.h>

#include <algorithm>
#include <cwctype>
#include <nlohmann/json.hpp>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/utf8_text.h"

namespace rpt::cli {
namespace {

constexpr size_t kReadBytes = 1 << 16;

// "2026-11-30 18:00:05.123 user"
std::string key_of(int64_t time_ms, int32_t speaker) {
    std::string key = format_time(time_ms);
    key.pop_back();  // the Z
    const std::string ms = std::to_string(1000 + time_ms % 1000);
    return key + "." + ms.substr(1) + " " + speaker_name(speaker);
}

std::string read_text(rpt_space* space, const std::string& key) {
    std::string text;
    std::string piece(kReadBytes, '\0');
    for (size_t got = piece.size(); got == piece.size();) {
        Error error;
        error.check(rpt_doc_read(space, key.c_str(), text.size(), piece.data(), piece.size(), &got,
                                 error.out()));
        text.append(piece, 0, got);
    }
    return text;
}

// In lower case where the alphabet has cases, whatever the locale of the process.
std::u32string folded(std::string_view text) {
    static const locale_t kUtf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    std::u32string points = code_points(text);
    for (char32_t& point : points) {
        const auto wide = static_cast<wint_t>(point);
        point = static_cast<char32_t>(kUtf8 != nullptr ? ::towlower_l(wide, kUtf8)
                                                       : std::towlower(wide));
    }
    return points;
}

}  // namespace

const char* speaker_name(int32_t speaker) {
    return speaker == RPT_SPEAKER_USER ? "user" : "assistant";
}

Turn ChatTurns::add(int32_t speaker, const std::string& text, int64_t now_ms) const {
    const std::string meta = nlohmann::ordered_json{{"speaker", speaker_name(speaker)}}.dump();
    for (;; ++now_ms) {  // two turns may fall into one millisecond
        const Turn turn{key_of(now_ms, speaker), speaker, now_ms, text};
        rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
        options.key = turn.key.c_str();
        options.uri = "chat:";
        options.meta_json = meta.c_str();
        options.timestamp_ms = now_ms;
        rpt_doc* begun = nullptr;
        Error error;
        const rpt_status status = rpt_doc_begin(space_, &options, &begun, error.out());
        if (status == RPT_ERR_EXISTS) continue;
        error.check(status);
        const Document document(begun);
        error.check(rpt_doc_append(document.get(), text.data(), text.size(), nullptr, error.out()));
        error.check(rpt_doc_finish(document.get(), nullptr, nullptr, error.out()));
        return turn;
    }
}

Turn ChatTurns::read(const std::string& key) const {
    Turn turn;
    turn.key = key;
    const auto meta =
        nlohmann::json::parse(read_field(space_, key, RPT_FIELD_META), nullptr, false);
    if (meta.is_object() && meta.value("speaker", "") == speaker_name(RPT_SPEAKER_ASSISTANT))
        turn.speaker = RPT_SPEAKER_ASSISTANT;
    rpt_doc_info info = {};
    info.struct_size = sizeof(info);
    Error error;
    error.check(rpt_doc_stat(space_, key.c_str(), &info, error.out()));
    turn.time_ms = info.timestamp_ms;
    turn.text = read_text(space_, key);
    return turn;
}

void ChatTurns::visit(const std::function<void(const Turn&)>& visitor) const {
    for (const std::string& key : keys()) visitor(read(key));
}

std::vector<std::string> ChatTurns::keys() const {
    std::vector<std::string> keys;
    list_documents(space_,
                   [&](const std::string& key, const rpt_doc_info&) { keys.push_back(key); });
    return keys;
}

TalkSize ChatTurns::size() const {
    TalkSize size;
    list_documents(space_, [&](const std::string&, const rpt_doc_info& info) {
        if (size.n_turns++ == 0) size.since_ms = info.timestamp_ms;
        size.bytes += info.bytes_accepted;
    });
    return size;
}

void ChatTurns::remove(const std::string& key) const {
    Error error;
    error.check(rpt_doc_delete(space_, key.c_str(), error.out()));
}

std::vector<Turn> turns_with(const ChatTurns& turns, std::string_view words) {
    std::vector<std::u32string> wanted;
    for (size_t begin = 0; begin < words.size();) {
        const size_t end = std::min(words.find(' ', begin), words.size());
        if (end > begin) wanted.push_back(folded(words.substr(begin, end - begin)));
        begin = end + 1;
    }
    std::vector<Turn> found;
    if (wanted.empty()) return found;
    turns.visit([&](const Turn& turn) {
        const std::u32string text = folded(turn.text);
        const bool holds = std::ranges::all_of(wanted, [&](const std::u32string& word) {
            return text.find(word) != std::u32string::npos;
        });
        if (holds) found.push_back(turn);
    });
    return found;
}

}  // namespace rpt::cli
