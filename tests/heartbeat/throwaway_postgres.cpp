// The fixture is the domain's, which runs on either engine.
#include "../store/throwaway_postgres.cpp"
