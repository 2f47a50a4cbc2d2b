#include "cli/demo/primes.h"

#include <algorithm>

namespace paperclip::cli::demo {

std::vector<std::uint32_t> primes_below(std::uint32_t limit) {
  std::vector<std::uint32_t> primes;
  if (limit <= 2) return primes;
  std::vector<bool> composite(limit);
  for (std::uint64_t n = 2; n < limit; ++n) {
    if (composite[n]) continue;
    primes.push_back(static_cast<std::uint32_t>(n));
    for (std::uint64_t multiple = n * n; multiple < limit; multiple += n) composite[multiple] = true;
  }
  return primes;
}

std::uint32_t count_primes_below(std::uint32_t limit) {
  if (limit <= 2) return 0;
  std::uint32_t root = 1;
  while (std::uint64_t{root + 1} * (root + 1) < limit) ++root;
  const auto small = primes_below(root + 1);
  constexpr std::uint32_t segment = 1 << 16;
  std::uint32_t count = 1;  // 2
  std::vector<char> composite;
  for (std::uint64_t begin = 3; begin < limit; begin += segment) {
    const std::uint64_t end = std::min<std::uint64_t>(begin + segment, limit);  // begin is odd
    composite.assign((end - begin + 1) / 2, 0);
    for (std::uint64_t prime : small) {
      if (prime == 2) continue;
      std::uint64_t multiple = std::max(prime * prime, (begin + prime - 1) / prime * prime);
      if (multiple % 2 == 0) multiple += prime;
      for (; multiple < end; multiple += 2 * prime) composite[(multiple - begin) / 2] = 1;
    }
    count += static_cast<std::uint32_t>(std::count(composite.begin(), composite.end(), 0));
  }
  return count;
}

Gap widest_gap(const std::vector<std::uint32_t>& primes) {
  Gap widest;
  for (std::size_t i = 1; i < primes.size(); ++i)
    if (primes[i] - primes[i - 1] > widest.to - widest.from) widest = {primes[i - 1], primes[i]};
  return widest;
}

Twins twin_primes(const std::vector<std::uint32_t>& primes) {
  Twins twins;
  for (std::size_t i = 1; i < primes.size(); ++i)
    if (primes[i] - primes[i - 1] == 2) twins = {twins.pairs + 1, primes[i - 1]};
  return twins;
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

}  // namespace paperclip::cli::demo
