// The host's tests run on the same throwaway server as the store's.
#include "../store/throwaway_postgres.cpp"
