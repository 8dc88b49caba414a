/* Every way in which a file is no model: the exact status, never a crash. */
#include "expect.h"

#include <stddef.h>

/* An import is the same model, or leaves what was there. */
static void import_models(place* p) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_model_info info = {.struct_size = sizeof info};
    rpt_import_result result = {.struct_size = sizeof result};
    rpt_model* model = NULL;
    uint8_t fingerprint[32];
    size_t size, kept_size;
    char out[512], source[512], *kept;
    snprintf(out, sizeof out, "%s", place_path(p, "imported"));
    snprintf(source, sizeof source, "%s", place_path(p, "GGUF"));
    EXPECT_OK(rpt_model_import(p->env, p->model_path, out, NULL, &result, &err));
    EXPECT_OK(rpt_model_open(p->env, out, NULL, NULL, &model, &err));
    EXPECT_OK(rpt_model_get_info(model, &info, &err));
    EXPECT(memcmp(info.fingerprint, result.fingerprint, sizeof info.fingerprint) == 0);
    EXPECT(info.parameters == result.parameters && info.layers == result.layers);
    EXPECT(info.flags == RPT_MODEL_FILLS_STORES);
    info.struct_size = offsetof(rpt_model_info, flags); /* a host of before */
    info.flags = 77;
    EXPECT_OK(rpt_model_get_info(model, &info, &err));
    EXPECT(info.flags == 77);
    EXPECT_OK(rpt_model_identify(p->env, p->model_path, NULL, fingerprint, &err));
    EXPECT(memcmp(fingerprint, result.fingerprint, sizeof fingerprint) == 0);
    EXPECT_FAILS(rpt_model_identify(p->env, place_path(p, "absent"), NULL, fingerprint, &err),
                 RPT_ERR_NOT_FOUND, "absent");
    EXPECT_FAILS(rpt_model_identify(p->env, out, NULL, NULL, &err), RPT_ERR_ARGUMENT,
                 "fingerprint");
    EXPECT_FAILS(rpt_model_make_memory(p->env, out, place_path(p, "memory"), NULL, &err),
                 RPT_ERR_UNSUPPORTED, "memory of its own");
    kept = read_whole(out, &size);
    EXPECT(size == result.file_bytes);
    rpt_model_close(model);

    write_whole(source, "GGUF\3\0\0\0\1\0\0\0\0\0\0\0", 16);
    EXPECT_FAILS(rpt_model_import(p->env, source, out, NULL, NULL, &err), RPT_ERR_CORRUPT, "GGUF");
    EXPECT_FAILS(rpt_model_open(p->env, source, NULL, NULL, &model, &err), RPT_ERR_CORRUPT, "GGUF");
    EXPECT_FAILS(rpt_model_import(p->env, place_path(p, "absent"), out, NULL, NULL, &err),
                 RPT_ERR_NOT_FOUND, "absent");
    EXPECT_FAILS(rpt_model_import(p->env, p->model_path, NULL, NULL, NULL, &err), RPT_ERR_ARGUMENT,
                 "out_path");
    free(kept);
    kept = read_whole(out, &kept_size);
    EXPECT(kept_size == size);
    free(kept);
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    rpt_model_options options = RPT_MODEL_OPTIONS_INIT;
    rpt_model* model = p.model;
    const char* path;
    size_t size, at, kept;
    char* bytes = read_whole(p.model_path, &size);

    EXPECT_FAILS(rpt_model_open(p.env, place_path(&p, "absent"), NULL, NULL, &model, &err),
                 RPT_ERR_NOT_FOUND, "absent");
    EXPECT(model == NULL);
    path = place_path(&p, "text");
    write_whole(path, "this is a letter to a friend, not a model, and it is long enough", 64);
    EXPECT_FAILS(rpt_model_open(p.env, path, NULL, NULL, &model, &err), RPT_ERR_CORRUPT, "text");
    path = place_path(&p, "empty");
    write_whole(path, "", 0);
    EXPECT_FAILS(rpt_model_open(p.env, path, NULL, NULL, &model, &err), RPT_ERR_CORRUPT, "empty");
    for (at = 1; at < 16; ++at) {
        path = place_path(&p, "short");
        write_whole(path, bytes, size * at / 16);
        EXPECT_FAILS(rpt_model_open(p.env, path, NULL, NULL, &model, &err), RPT_ERR_CORRUPT,
                     "short");
    }
    for (at = size / 2; at < size; at += size / 8) {
        path = place_path(&p, "flipped");
        bytes[at] = (char)(bytes[at] ^ 0x10);
        write_whole(path, bytes, size);
        EXPECT_FAILS(rpt_model_open(p.env, path, NULL, NULL, &model, &err), RPT_ERR_CORRUPT,
                     "flipped");
        bytes[at] = (char)(bytes[at] ^ 0x10);
    }
    /* a flip anywhere in the header: a failure, or a model that no store takes for the old one.
       Not in the word under which the fingerprint is kept: without it nothing of the model differs
     */
    for (kept = 0; memcmp(bytes + kept, "\"fingerprint\"", 13) != 0; ++kept) {
    }
    for (at = 0; at < 4096 && at < size; at += 37) {
        if (at >= kept && at < kept + 13) continue;
        path = place_path(&p, "flipped");
        bytes[at] = (char)(bytes[at] ^ 0x20);
        write_whole(path, bytes, size);
        if (rpt_model_open(p.env, path, NULL, NULL, &model, &err) == RPT_OK) {
            rpt_model_info before = {.struct_size = sizeof before},
                           after = {.struct_size = sizeof after};
            EXPECT_OK(rpt_model_get_info(p.model, &before, &err));
            EXPECT_OK(rpt_model_get_info(model, &after, &err));
            EXPECT(memcmp(before.fingerprint, after.fingerprint, sizeof before.fingerprint) != 0);
            rpt_model_close(model);
        } else {
            EXPECT(model == NULL && err.message[0]);
        }
        bytes[at] = (char)(bytes[at] ^ 0x20);
    }
    EXPECT(rpt_model_open(p.env, p.folder, NULL, NULL, &model, &err) < 0 && model == NULL);
    import_models(&p);
    EXPECT_FAILS(rpt_model_open(p.env, NULL, NULL, NULL, &model, &err), RPT_ERR_ARGUMENT, "path");
    EXPECT_FAILS(rpt_model_open(p.env, "", NULL, NULL, &model, &err), RPT_ERR_ARGUMENT, "path");
    EXPECT_FAILS(rpt_model_open(p.env, "a\tb", NULL, NULL, &model, &err), RPT_ERR_ARGUMENT,
                 "control");
    options.device = 9;
    EXPECT_FAILS(rpt_model_open(p.env, p.model_path, &options, NULL, &model, &err),
                 RPT_ERR_ARGUMENT, "device");
    options.device = RPT_DEVICE_CUDA;
    options.device_index = 77;
    EXPECT_FAILS(rpt_model_open(p.env, p.model_path, &options, NULL, &model, &err), RPT_ERR_DEVICE,
                 "");
    free(bytes);
    place_close(&p);
    return 0;
}
