#include "apps/rpt/html_text.h"

#include <libxml/HTMLparser.h>

#include <algorithm>
#include <memory>
#include <new>
#include <set>
#include <utility>

namespace rpt::cli {
namespace {

// What is in them is no text of the page.
const std::set<std::string_view>& unseen() {
    static const std::set<std::string_view> names = {"script", "style",  "template", "noscript",
                                                     "svg",    "iframe", "object",   "audio",
                                                     "video",  "canvas", "datalist"};
    return names;
}

const std::set<std::string_view>& blocks() {
    static const std::set<std::string_view> names = {
        "address",  "article",    "aside",    "blockquote", "body",    "br",     "caption",
        "dd",       "details",    "dialog",   "div",        "dl",      "dt",     "center",
        "fieldset", "figcaption", "figure",   "footer",     "form",    "h1",     "h2",
        "h3",       "h4",         "h5",       "h6",         "head",    "header", "hgroup",
        "hr",       "html",       "legend",   "li",         "main",    "menu",   "nav",
        "ol",       "option",     "p",        "pre",        "section", "select", "summary",
        "table",    "tbody",      "textarea", "tfoot",      "thead",   "title",  "tr",
        "ul"};
    return names;
}

// A blank line stands before and behind these.
bool is_paragraph(std::string_view name) {
    return name == "p" || name == "blockquote" || name == "pre" || name == "ul" || name == "ol" ||
           name == "dl" || name == "table" ||
           (name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6');
}

bool keeps_spaces(std::string_view name) {
    return name == "pre" || name == "textarea";
}

bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view name_of(const xmlChar* name) {
    return reinterpret_cast<const char*>(name);
}

}  // namespace

bool is_html_name(std::string_view name) {
    return std::ranges::any_of(
        std::initializer_list<std::string_view>{".html", ".htm", ".xhtml"},
        [&](std::string_view ending) {
            return name.size() > ending.size() &&
                   std::ranges::equal(name.substr(name.size() - ending.size()), ending, {}, lower);
        });
}

std::string declared_encoding(std::string_view head) {
    std::string text(head.substr(0, 1024));  // where browsers look
    std::ranges::transform(text, text.begin(), lower);
    for (const std::string_view word : {"charset", "encoding"}) {
        for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at)) {
            at += word.size();
            size_t begin = text.find_first_not_of(" \t\r\n", at);
            if (begin == std::string::npos || text[begin] != '=') continue;
            begin = text.find_first_not_of(" \t\r\n\"'", begin + 1);
            if (begin == std::string::npos) continue;
            const size_t end = text.find_first_of(" \t\r\n\"';/>?", begin);
            const std::string name = text.substr(begin, end - begin);
            // Bytes that can be read as ASCII are no UTF-16, and "Latin-1" means what Windows made
            // of it: https://encoding.spec.whatwg.org/#names-and-labels
            if (name.starts_with("utf-16")) return "utf-8";
            if (name == "iso-8859-1" || name == "latin1" || name == "ascii" || name == "us-ascii")
                return "windows-1252";
            return name;
        }
    }
    return {};
}

namespace {

// What the events of libxml2 make of the page. No tree is built.
struct Page {
    std::string out;
    int n_unseen = 0, n_pre = 0;
    bool any = false;    // of the page's text was written
    bool space = false;  // one is due before the next word
    int breaks = 0;      // line ends that are due

    void start(std::string_view name) {
        if (unseen().contains(name)) ++n_unseen;
        if (blocks().contains(name)) {
            // each <br> is a line of its own
            break_line(is_paragraph(name) ? 2 : name == "br" ? breaks + 1 : 1);
        } else if (name == "td" || name == "th") {
            space = true;
        }
        if (keeps_spaces(name)) ++n_pre;
    }

    void end(std::string_view name) {
        if (unseen().contains(name)) n_unseen = std::max(0, n_unseen - 1);
        if (keeps_spaces(name)) n_pre = std::max(0, n_pre - 1);
        if (blocks().contains(name) && name != "br") break_line(is_paragraph(name) ? 2 : 1);
        if (name == "td" || name == "th") space = true;
    }

    void break_line(int n_ends) { breaks = std::min(2, std::max(breaks, n_ends)); }

    void characters(std::string_view text) {
        if (n_unseen > 0) return;
        for (const char c : text) {
            if (n_pre > 0 ? c == '\r' : is_space(c)) {
                space = space || n_pre == 0;
                continue;
            }
            if (any) out.append(static_cast<size_t>(breaks), '\n');
            if (any && space && breaks == 0) out += ' ';
            breaks = 0;
            space = false;
            any = true;
            out += c;
        }
    }
};

htmlSAXHandler handler() {
    htmlSAXHandler events = {};
    events.startElement = [](void* page, const xmlChar* name, const xmlChar**) {
        static_cast<Page*>(page)->start(name_of(name));
    };
    events.endElement = [](void* page, const xmlChar* name) {
        static_cast<Page*>(page)->end(name_of(name));
    };
    events.characters = [](void* page, const xmlChar* text, int size) {
        static_cast<Page*>(page)->characters(
            {reinterpret_cast<const char*>(text), static_cast<size_t>(size)});
    };
    events.ignorableWhitespace = events.characters;
    return events;
}

}  // namespace

std::string text_of_html(std::string_view html) {
    if (html.empty()) return {};
    const auto freed = [](htmlParserCtxtPtr context) { htmlFreeParserCtxt(context); };
    const std::unique_ptr<htmlParserCtxt, decltype(freed)> context(htmlNewParserCtxt(), freed);
    if (!context) throw std::bad_alloc();
    Page page;
    *context->sax = handler();
    context->userData = &page;
    // Without a tree it returns nothing, also for a page without faults.
    htmlCtxtReadMemory(context.get(), html.data(), static_cast<int>(html.size()), nullptr, "UTF-8",
                       HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                           HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC);
    if (page.any) page.out += '\n';
    return std::move(page.out);
}

}  // namespace rpt::cli
