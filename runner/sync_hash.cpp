#include "runner/sync_hash.h"

#include <string.h>

namespace paperclip::sync {

namespace {

constexpr std::uint64_t initial[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                                      0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

constexpr std::uint8_t order[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3}};

inline std::uint64_t turned(std::uint64_t value, int bits) { return value >> bits | value << (64 - bits); }

inline void mix(std::uint64_t* v, int a, int b, int c, int d, std::uint64_t x, std::uint64_t y) {
  v[a] = v[a] + v[b] + x;
  v[d] = turned(v[d] ^ v[a], 32);
  v[c] = v[c] + v[d];
  v[b] = turned(v[b] ^ v[c], 24);
  v[a] = v[a] + v[b] + y;
  v[d] = turned(v[d] ^ v[a], 16);
  v[c] = v[c] + v[d];
  v[b] = turned(v[b] ^ v[c], 63);
}

}  // namespace

Hasher::Hasher() {
  memcpy(state_, initial, sizeof state_);
  state_[0] ^= 0x01010000 ^ sizeof(Hash);
}

void Hasher::compress(bool last) {
  std::uint64_t m[16], v[16];
  memcpy(m, block_, sizeof m);  // both of our machines are little-endian
  memcpy(v, state_, sizeof state_);
  memcpy(v + 8, initial, sizeof initial);
  v[12] ^= counted_;
  if (last) v[14] = ~v[14];
  for (const auto& s : order) {
    mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
  }
  for (int i = 0; i < 8; ++i) state_[i] ^= v[i] ^ v[i + 8];
}

void Hasher::add(std::string_view bytes) {
  while (!bytes.empty()) {
    // The last block is compressed by finish(), so a full one waits until more comes.
    if (filled_ == sizeof block_) {
      counted_ += filled_;
      compress(false);
      filled_ = 0;
    }
    const std::size_t taken = bytes.size() < sizeof block_ - filled_ ? bytes.size() : sizeof block_ - filled_;
    memcpy(block_ + filled_, bytes.data(), taken);
    filled_ += taken;
    bytes.remove_prefix(taken);
  }
}

Hash Hasher::finish() {
  counted_ += filled_;
  memset(block_ + filled_, 0, sizeof block_ - filled_);
  compress(true);
  Hash out;
  memcpy(out.data(), state_, out.size());
  return out;
}

}  // namespace paperclip::sync
