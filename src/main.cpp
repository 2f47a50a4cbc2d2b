#include "cli/program.h"

int main(int argc, char** argv) { return paperclip::cli::run(argc, argv); }
