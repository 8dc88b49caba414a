/* After a model call the process holds one OpenMP runtime: two would fight over threads or
 * deadlock. */
#include <rpt.h>
#include <stdio.h>
#include <string.h>

static int remember_file(char seen[8][512], int n, const char* path) {
    int i;
    for (i = 0; i < n; ++i) {
        if (strcmp(seen[i], path) == 0) return n;
    }
    snprintf(seen[n], sizeof seen[n], "%s", path);
    return n + 1;
}

int main(int argc, char** argv) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_env* env = NULL;
    rpt_model* model = NULL;
    rpt_session* session = NULL;
    static char seen[8][512];
    char line[1024];
    int n = 0;
    FILE* maps;
    if (argc < 2 || rpt_env_open(NULL, &env, &err) < 0 ||
        rpt_model_open(env, argv[1], NULL, NULL, &model, &err) < 0 ||
        rpt_session_new(model, NULL, &session, &err) < 0 ||
        rpt_session_read(session, "the sea was calm and a ship came from far", 41, NULL, &err) <
            0) {
        return fprintf(stderr, "%s\n", err.message), 1;
    }
    maps = fopen("/proc/self/maps", "r");
    if (!maps) return 1;
    while (fgets(line, sizeof line, maps) && n < 8) {
        char* path = strchr(line, '/');
        if (!path ||
            (!strstr(path, "/libgomp") && !strstr(path, "/libomp") && !strstr(path, "/libiomp")))
            continue;
        path[strcspn(path, "\n")] = '\0';
        n = remember_file(seen, n, path);
    }
    fclose(maps);
    rpt_session_free(session);
    rpt_model_close(model);
    rpt_env_close(env);
    while (n > 1) fprintf(stderr, "mapped: %s\n", seen[--n]), err.status = -1;
    return n == 1 && err.status == 0 ? 0 : 1;
}
