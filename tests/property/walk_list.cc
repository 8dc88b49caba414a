// walk_list FOLDER: the files that `rpt add FOLDER` would look at, below it, each ended by NUL.
#include <cstdio>

#include "apps/rpt/file_walk.h"

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    rpt::cli::Walk walk;
    rpt::cli::walk_path(argv[1], "no such memory", {}, walk);
    for (const auto& file : walk.files) {
        const std::string& below = file.place.below.native();
        std::fwrite(below.c_str(), 1, below.size() + 1, stdout);
    }
    return walk.failed.empty() ? 0 : 1;
}
