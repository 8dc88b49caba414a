/* struct_size, flags, reserved fields and the error record: both directions of growth. */
#include "expect.h"

typedef struct grown_options {
    rpt_env_options known;
    uint64_t later[4];
} grown_options;

typedef struct grown_info {
    rpt_model_info known;
    uint64_t later[4];
} grown_info;

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    rpt_env_options plain = RPT_ENV_OPTIONS_INIT;
    grown_options options;
    grown_info info;
    rpt_model_info small;
    rpt_env* env = p.env;
    rpt_call call = RPT_CALL_INIT;
    rpt_model* model = NULL;
    rpt_retrieve_options retrieve = RPT_RETRIEVE_OPTIONS_INIT;
    rpt_session* session = NULL;
    rpt_hits* hits = NULL;
    uint32_t size;
    int i;

    /* a newer host: accepted while it asks for nothing new */
    memset(&options, 0, sizeof options);
    options.known.struct_size = sizeof options;
    EXPECT_OK(rpt_env_open(&options.known, &env, &err));
    rpt_env_close(env);
    options.later[3] = 1;
    env = p.env;
    EXPECT_FAILS(rpt_env_open(&options.known, &env, &err), RPT_ERR_UNSUPPORTED, "does not know");
    EXPECT(env == NULL);

    /* uninitialised or foreign layouts */
    plain.struct_size = 0;
    EXPECT_FAILS(rpt_env_open(&plain, &env, &err), RPT_ERR_ARGUMENT, "struct_size");
    plain.struct_size = sizeof plain - 4;
    EXPECT_FAILS(rpt_env_open(&plain, &env, &err), RPT_ERR_ARGUMENT, "packed");
    plain.struct_size = 70000;
    EXPECT_FAILS(rpt_env_open(&plain, &env, &err), RPT_ERR_ARGUMENT, "70000");
    plain.struct_size = sizeof plain;
    plain.flags = 4;
    EXPECT_FAILS(rpt_env_open(&plain, &env, &err), RPT_ERR_ARGUMENT, "0x4");
    plain.flags = 0;
    plain.reserved0 = 1;
    EXPECT_FAILS(rpt_env_open(&plain, &env, &err), RPT_ERR_UNSUPPORTED, "reserved");
    plain.reserved0 = 0;
    plain.log_level = 9;
    EXPECT_FAILS(rpt_env_open(&plain, &env, &err), RPT_ERR_ARGUMENT, "log_level");
    EXPECT_FAILS(rpt_env_open(NULL, NULL, &err), RPT_ERR_ARGUMENT, "out");

    /* results: what the library does not know is cleared, nothing past the size is touched */
    memset(&info, 0xee, sizeof info);
    info.known.struct_size = sizeof info.known + 8;
    EXPECT_OK(rpt_model_get_info(p.model, &info.known, &err));
    EXPECT(info.known.chunk_tokens == 8 && info.later[0] == 0 &&
           info.later[1] == 0xeeeeeeeeeeeeeeeeu);
    memset(&small, 0xee, sizeof small);
    small.struct_size = 8;
    EXPECT_FAILS(rpt_model_get_info(p.model, &small, &err), RPT_ERR_ARGUMENT, "info");
    EXPECT(small.chunk_tokens == 0xeeeeeeeeu);
    small.struct_size = sizeof small;
    EXPECT_FAILS(rpt_model_get_info(NULL, &small, &err), RPT_ERR_ARGUMENT, "model");
    EXPECT(small.struct_size == sizeof small && small.chunk_tokens == 0);

    /* the error record: too small or absurd sizes leave everything alone and call nothing */
    for (i = 0; i < 3; ++i) {
        static const uint32_t sizes[] = {0, 47, 65537};
        memset(&err, 0xee, sizeof err);
        err.struct_size = sizes[i];
        model = NULL;
        EXPECT(rpt_model_open(p.env, p.model_path, NULL, NULL, &model, &err) == RPT_ERR_ARGUMENT);
        EXPECT(model == NULL && err.struct_size == sizes[i] && err.status == (int32_t)0xeeeeeeee);
    }
    for (size = 48; size <= sizeof err; size += 29) {
        unsigned char* raw = (unsigned char*)&err;
        memset(&err, 0xee, sizeof err);
        err.struct_size = size;
        EXPECT(rpt_model_open(p.env, "/no/such/model/anywhere", NULL, NULL, &model, &err) ==
               RPT_ERR_NOT_FOUND);
        EXPECT(err.status == RPT_ERR_NOT_FOUND && err.struct_size == size && err.offset == -1 &&
               err.domain[0]);
        EXPECT(size == sizeof err || raw[size] == 0xee);
        EXPECT(size <= 48 || memchr(err.message, 0, size - 48));
    }

    /* call records */
    call.timeout_ms = -1;
    {
        rpt_error fresh = RPT_ERROR_INIT;
        err = fresh;
    }
    EXPECT_FAILS(rpt_model_open(p.env, p.model_path, NULL, &call, &model, &err), RPT_ERR_ARGUMENT,
                 "timeout_ms");
    call.timeout_ms = 0;
    call.flags = 1;
    EXPECT_FAILS(rpt_model_open(p.env, p.model_path, NULL, &call, &model, &err), RPT_ERR_ARGUMENT,
                 "call.flags");

    /* options inside options */
    EXPECT_OK(rpt_session_new(p.model, NULL, &session, &err));
    retrieve.k = 5000;
    EXPECT_FAILS(rpt_session_retrieve(session, &retrieve, NULL, &hits, &err), RPT_ERR_ARGUMENT,
                 "1024");
    retrieve.k = 0;
    retrieve.exclude_bytes.begin = 2;
    EXPECT_FAILS(rpt_session_retrieve(session, &retrieve, NULL, &hits, &err), RPT_ERR_ARGUMENT,
                 "begin");
    rpt_session_free(session);

    EXPECT(rpt_version_number() == RPT_VERSION_NUMBER);
    EXPECT(strcmp(rpt_version_string(), "0.1.0") == 0 && rpt_build_info() == rpt_build_info());
    EXPECT(strstr(rpt_build_info(), "\"sqlite\":\"3.") &&
           strstr(rpt_build_info(), "\"libtorch\":\"2."));
    EXPECT(strcmp(rpt_status_name(RPT_ERR_DEVICE), "RPT_ERR_DEVICE") == 0);
    EXPECT(strcmp(rpt_status_name(RPT_OK), "RPT_OK") == 0 &&
           strcmp(rpt_status_name(-22), "RPT_ERR_?") == 0);
    EXPECT(strcmp(rpt_status_name(1), "RPT_ERR_?") == 0 &&
           strcmp(rpt_status_name(INT32_MIN), "RPT_ERR_?") == 0);
    place_close(&p);
    return 0;
}
