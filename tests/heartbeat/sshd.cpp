// The fixtures are those of the environments.
#include "../environments/run_fixture.cpp"
#include "../environments/sshd.cpp"
