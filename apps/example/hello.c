/* Remembers a sentence, then continues a text with it: hello MODEL STORE */
#include <rpt.h>
#include <stdio.h>
#define DO(call) if ((call) < 0) return fprintf(stderr, "%s: %s\n", rpt_status_name(err.status), err.message), 1

static int32_t print(void *user, const rpt_event *event) {
    (void)user;
    return fwrite(event->text.data, 1, event->text.size, stdout) == event->text.size ? 0 : -1;
}

int main(int argc, char **argv) {
    rpt_env *env; rpt_model *model; rpt_store *store; rpt_space *space; rpt_doc *doc; rpt_session *session;
    rpt_error err = RPT_ERROR_INIT;
    rpt_store_options in = {.struct_size = sizeof in, .flags = RPT_STORE_CREATE};
    rpt_doc_options note = {.struct_size = sizeof note, .flags = RPT_DOC_REPLACE, .key = "note"};
    rpt_session_options with = {.struct_size = sizeof with, .spaces = &space, .n_spaces = 1};
    rpt_generate_options answer = {.struct_size = sizeof answer, .max_tokens = 16,
                                   .stop = &(rpt_str){"\n", 1}, .n_stop = 1};
    if (argc != 3) return 2;
    DO(rpt_env_open(NULL, &env, &err));
    DO(rpt_model_open(env, argv[1], NULL, NULL, &model, &err));
    in.model = model;
    DO(rpt_store_open(env, argv[2], &in, &store, &err));
    DO(rpt_space_open(store, "me", "notes", RPT_SPACE_CREATE, &space, &err));
    DO(rpt_doc_begin(space, &note, &doc, &err));
    DO(rpt_doc_append(doc, "The ship was called Pequod.", 27, NULL, &err));
    DO(rpt_doc_finish(doc, NULL, NULL, &err));
    DO(rpt_session_new(model, &with, &session, &err));
    DO(rpt_session_read(session, "The name of the ship was", 24, NULL, &err));
    DO(rpt_session_generate(session, &answer, NULL, print, NULL, NULL, &err));
    rpt_session_free(session); rpt_doc_free(doc); rpt_space_close(space); rpt_model_close(model);
    DO(rpt_store_close(store, &err));
    rpt_env_close(env);
    return 0;
}
