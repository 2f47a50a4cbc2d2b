#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// What the demonstration's agents work at: real sums that need no model, and that anyone can check.
namespace paperclip::cli::demo {

/// All primes below `limit`, by the sieve of Eratosthenes.
std::vector<std::uint32_t> primes_below(std::uint32_t limit);

/// The same number of them, counted another way (odd numbers only, in segments): the lead checks with it.
std::uint32_t count_primes_below(std::uint32_t limit);

struct Gap {
  std::uint32_t from = 0, to = 0;
};
/// The first widest gap between neighbours; zeros for fewer than two primes.
Gap widest_gap(const std::vector<std::uint32_t>& primes);

struct Twins {
  std::uint32_t pairs = 0, last = 0;  // `last` and `last + 2`
};
Twins twin_primes(const std::vector<std::uint32_t>& primes);

/// `2,000,000`
std::string grouped(std::uint64_t number);

}  // namespace paperclip::cli::demo
