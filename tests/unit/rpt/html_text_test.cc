#include "apps/rpt/html_text.h"

#include <gtest/gtest.h>

namespace rpt::cli {
namespace {

std::string text_of(std::string_view html) {
    return text_of_html(html);
}

TEST(html_text, takes_tags_scripts_styles_and_comments_away) {
    EXPECT_EQ(text_of("<html><head><title>A page</title><style>p { color: red }</style>"
                      "<script>if (a < b) document.write('<p>no</p>')</script></head>"
                      "<body><!-- hidden --><p>Some <b>bold</b> text.</p></body></html>"),
              "A page\n\nSome bold text.\n");
}

TEST(html_text, blocks_begin_lines_and_spaces_run_together) {
    EXPECT_EQ(text_of("<h1>Head</h1><div>one</div><div>two\n   words</div>"),
              "Head\n\none\ntwo words\n");
    EXPECT_EQ(text_of("<ul><li>a<li>b</ul>after"), "a\nb\n\nafter\n");
    EXPECT_EQ(text_of("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>"),
              "1 2\n3\n");
    EXPECT_EQ(text_of("a<br>b<br><br>c"), "a\nb\n\nc\n");
    EXPECT_EQ(text_of("<pre>  x\n    y\n</pre>z"), "  x\n    y\n\n\nz\n");
    EXPECT_EQ(text_of("<section><article>one</article></section><footer>two</footer>"),
              "one\ntwo\n");
}

TEST(html_text, entities_become_characters) {
    EXPECT_EQ(text_of("<p>Tom &amp; Jerry &lt;3 &eacute; &#8212; &#x1F600;"),
              "Tom & Jerry <3 \xC3\xA9 \xE2\x80\x94 \xF0\x9F\x98\x80\n");
}

TEST(html_text, utf8_stays_whatever_the_page_declares) {
    EXPECT_EQ(text_of("<meta charset=latin1><p>\xC3\xB6"), "\xC3\xB6\n");
    EXPECT_EQ(text_of("<p>\xC3\xB6"), "\xC3\xB6\n");
}

TEST(html_text, what_follows_a_script_is_kept_however_it_ends) {
    for (const char* script :
         {"<script>x='</p>'</script>", "<script src=a></script>", "<script>a</script >",
          "<SCRIPT>if (a</b/.exec(c)) d()</SCRIPT>", "<style>a>b{}</style>"})
        EXPECT_EQ(text_of(std::string("<p>one") + script + "<p>two"), "one\n\ntwo\n") << script;
}

TEST(html_text, broken_pages_give_what_they_hold) {
    EXPECT_EQ(text_of("<p>open <b>and"), "open and\n");
    EXPECT_EQ(text_of("no tags"), "no tags\n");
    EXPECT_EQ(text_of(""), "");
    EXPECT_EQ(text_of("<p"), "");
    std::string deep;
    for (int i = 0; i < 20000; ++i) deep += "<div>";
    EXPECT_EQ(text_of(deep + "bottom"), "bottom\n");
}

TEST(html_text, is_known_by_the_ending_of_its_name) {
    for (const char* name : {"a.html", "b/INDEX.HTM", "x.xhtml"})
        EXPECT_TRUE(is_html_name(name)) << name;
    for (const char* name : {"html", ".html", "a.html.txt", "a.php"})
        EXPECT_FALSE(is_html_name(name)) << name;
}

TEST(html_text, finds_the_declared_encoding) {
    EXPECT_EQ(declared_encoding("<meta charset=\"Shift_JIS\">"), "shift_jis");
    EXPECT_EQ(
        declared_encoding("<meta http-equiv=Content-Type content='text/html; charset=koi8-r'>"),
        "koi8-r");
    EXPECT_EQ(declared_encoding("<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?>"), "iso-8859-2");
    EXPECT_EQ(declared_encoding("<meta charset=iso-8859-1>"), "windows-1252");
    EXPECT_EQ(declared_encoding("<meta charset=utf-16>"), "utf-8");
    EXPECT_EQ(declared_encoding("<p>the charset of it"), "");
}

}  // namespace
}  // namespace rpt::cli
