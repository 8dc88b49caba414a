#include "apps/rpt/text_reader.h"

#include <gtest/gtest.h>

namespace rpt::cli {
namespace {

struct Got {
    bool good = true;
    std::string text, problem;
};

Got read(std::string_view bytes, const TextForm& form = {}, const std::string& name = "a.txt",
         TextReader::Source source = TextReader::Source::kFile, size_t piece = 1 << 20) {
    TextReader reader(form, name, source);
    Got got;
    for (size_t at = 0; at < bytes.size() && got.good; at += piece)
        got.good = reader.feed(bytes.substr(at, piece), got.text);
    got.good = got.good && reader.finish(got.text);
    got.problem = reader.problem();
    return got;
}

TextForm lossy() {
    TextForm form;
    form.lossy = true;
    return form;
}

TEST(text_reader, utf8_comes_out_as_it_went_in_for_every_split) {
    const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
    for (size_t piece = 1; piece <= text.size(); ++piece) {
        const Got got = read(text, {}, "a.txt", TextReader::Source::kFile, piece);
        EXPECT_TRUE(got.good);
        EXPECT_EQ(got.text, text);
    }
    EXPECT_TRUE(read("").good);
}

TEST(text_reader, what_comes_before_an_invalid_byte_is_given) {
    for (size_t piece : {1, 2, 3, 100}) {
        const Got got = read("abc\xE2\x82x", {}, "a.txt", TextReader::Source::kFile, piece);
        EXPECT_FALSE(got.good);
        EXPECT_EQ(got.text, "abc");
        EXPECT_TRUE(got.problem.starts_with("not UTF-8 at byte 3;")) << got.problem;
        EXPECT_NE(got.problem.find("--encoding"), std::string::npos);
    }
    EXPECT_TRUE(read("\xEF\xBB\xBFx\xFF").problem.starts_with("not UTF-8 at byte 4;"));
    EXPECT_TRUE(read("cut \xC3").problem.starts_with("not UTF-8 at byte 4;"));
}

TEST(text_reader, lossy_keeps_bytes_of_utf8_and_replaces_in_others) {
    EXPECT_EQ(read("a\xFF\xC3", lossy()).text, "a\xFF\xC3");
    EXPECT_EQ(read(std::string_view("\xFF\xFE\x00\xDCx\0", 6), lossy()).text, "\xEF\xBF\xBDx");
}

TEST(text_reader, nul_near_the_start_is_binary_in_a_file) {
    const std::string_view bytes("ab\0cd", 5);
    EXPECT_EQ(read(bytes).problem, "binary");
    EXPECT_TRUE(read(bytes, {}, "a", TextReader::Source::kStream).good);
    EXPECT_EQ(read(std::string_view("\xF0\0\xFF", 3), {}, "a", TextReader::Source::kPrompt).problem,
              "binary");
    EXPECT_TRUE(read(std::string(9000, 'a') + std::string(1, '\0')).good);
}

TEST(text_reader, utf16_without_a_mark_is_named) {
    std::string little, big;
    for (const char c : std::string("Plain text.")) {
        little += {c, '\0'};
        big += {'\0', c};
    }
    EXPECT_NE(read(little).problem.find("utf-16le"), std::string::npos) << read(little).problem;
    EXPECT_NE(read(big).problem.find("utf-16be"), std::string::npos) << read(big).problem;
    TextForm form;
    form.encoding = "utf-16le";
    EXPECT_EQ(read(little, form).text, "Plain text.");
}

TEST(text_reader, documents_of_other_programs_are_named_with_the_tool) {
    EXPECT_NE(read("%PDF-1.7\n...").problem.find("pdftotext"), std::string::npos);
    EXPECT_NE(read(std::string_view("PK\3\4\0\0binary", 12), {}, "Book.EPUB").problem.find("EPUB"),
              std::string::npos);
    EXPECT_NE(read(std::string_view("PK\3\4\0\0mimetypeapplication/epub+zip", 34), {}, "x")
                  .problem.find("EPUB"),
              std::string::npos);
    EXPECT_NE(read(std::string_view("PK\3\4\0\0", 6), {}, "a.docx").problem.find("pandoc"),
              std::string::npos);
    EXPECT_NE(read("PK\3\4", {}, "a.jar").problem.find("ZIP"), std::string::npos);
    EXPECT_TRUE(read("BZh is a name").good);
}

TEST(text_reader, lines_that_end_in_cr_alone_end_in_lf_in_a_file) {
    EXPECT_EQ(read("a\rb\rc").text, "a\nb\nc");
    EXPECT_EQ(read("a\rb\r").text, "a\nb\n");
    EXPECT_EQ(read("a\r\nb\rc\r\n").text, "a\r\nb\rc\r\n");
    EXPECT_EQ(read("a\rb\nc").text, "a\rb\nc");
    EXPECT_EQ(read("a\rb", {}, "a", TextReader::Source::kStream).text, "a\rb");
}

TEST(text_reader, html_becomes_text_unless_its_source_is_wanted) {
    const std::string page = "<html><body><p>Some <b>text</b></p></body></html>";
    for (size_t piece : {1, 7, 1000})
        EXPECT_EQ(read(page, {}, "a.html", TextReader::Source::kFile, piece).text, "Some text\n");
    EXPECT_EQ(read(page, {}, "a.txt").text, page);
    TextForm source;
    source.html_source = true;
    EXPECT_EQ(read(page, source, "a.html").text, page);
    EXPECT_EQ(read("<meta charset=iso-8859-1><p>L\xF6we", {}, "a.htm").text, "L\xC3\xB6we\n");
    EXPECT_EQ(read("<p>L\xF6we", lossy(), "a.htm").text, "L\xEF\xBF\xBDwe\n");
    EXPECT_FALSE(read("<p>L\xF6we", {}, "a.htm").good);
}

}  // namespace
}  // namespace rpt::cli
