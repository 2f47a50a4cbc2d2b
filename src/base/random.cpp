#include "base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace paperclip {

namespace {

constexpr char hex_digits[] = "0123456789abcdef";

class SystemRandom final : public Random {
 public:
  void fill(unsigned char* out, std::size_t size) override {
    // Small requests are served from a per-thread pool: a system call per id would cost more than the id.
    thread_local unsigned char pool[512];
    thread_local std::size_t left = 0;
    if (size > sizeof pool) return draw(out, size);
    if (left < size) {
      draw(pool, sizeof pool);
      left = sizeof pool;
    }
    unsigned char* from = pool + (sizeof pool - left);
    std::memcpy(out, from, size);
    std::memset(from, 0, size);
    left -= size;
  }

 private:
  static void draw(unsigned char* out, std::size_t size) {
    while (size > 0) {
      const ssize_t n = getrandom(out, size, 0);
      if (n < 0) {
        if (errno == EINTR) continue;
        throw std::system_error(errno, std::generic_category(), "getrandom");
      }
      out += n;
      size -= static_cast<std::size_t>(n);
    }
  }
};

}  // namespace

Random& Random::system() {
  static SystemRandom random;
  return random;
}

std::string Random::uuid() {
  unsigned char bytes[16];
  fill(bytes, sizeof bytes);
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  std::string text;
  text.reserve(36);
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += hex_digits[bytes[i] >> 4];
    text += hex_digits[bytes[i] & 15];
  }
  return text;
}

std::string Random::hex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  fill(reinterpret_cast<unsigned char*>(raw.data()), bytes);
  std::string text;
  text.reserve(bytes * 2);
  for (unsigned char c : raw) {
    text += hex_digits[c >> 4];
    text += hex_digits[c & 15];
  }
  return text;
}

std::uint64_t Random::next() {
  std::uint64_t value = 0;
  fill(reinterpret_cast<unsigned char*>(&value), sizeof value);
  return value;
}

}  // namespace paperclip
