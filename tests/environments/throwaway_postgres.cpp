// Leases are tested on either engine, on the store's throwaway server.
#include "../store/throwaway_postgres.cpp"
