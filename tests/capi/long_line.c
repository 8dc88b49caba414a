/* One word of argv[3] megabytes: accepted in one append, found again byte for byte. */
#include "expect.h"

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    rpt_store* store = place_store(&p, "store", RPT_STORE_CREATE);
    rpt_space* space = place_space(store, "alice");
    rpt_doc_info info = {.struct_size = sizeof info};
    size_t size, i, got = 0;
    char *text, *back;
    EXPECT(argc >= 4);
    size = (size_t)atoi(argv[3]) * 1000000;
    text = malloc(size);
    back = malloc(size);
    EXPECT(text && back);
    for (i = 0; i < size; ++i)
        text[i] = "theseawascalmandshipcamefromfarwithsalt"[(i + i / 3001) % 39];
    remember(space, "line", text, size);
    EXPECT_OK(rpt_doc_stat(space, "line", &info, &err));
    EXPECT(info.bytes_accepted == size && info.bytes_searchable == size &&
           info.chunks > size / 1000);
    EXPECT_OK(rpt_doc_read(space, "line", 0, back, size, &got, &err));
    EXPECT(got == size && memcmp(text, back, size) == 0);
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
    free(text);
    free(back);
    place_close(&p);
    return 0;
}
