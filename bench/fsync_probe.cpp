// How long this disk takes to make 4 KiB durable: every figure about writes is worth only what the disk promises.
//
//   fsync_probe FOLDER [COUNT]      prints {"p50Us":…,"p99Us":…,"count":…} for appends of 4 KiB, each with fdatasync
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: fsync_probe FOLDER [COUNT]\n"), 2;
  const int count = argc > 2 ? std::atoi(argv[2]) : 1000;
  std::string path = std::string(argv[1]) + "/fsync_probe.XXXXXX";
  const int file = mkstemp(path.data());
  if (file < 0) return std::perror(path.c_str()), 1;
  unlink(path.c_str());

  const std::vector<char> block(4096, 'x');
  std::vector<double> took;
  for (int i = 0; i < count; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (write(file, block.data(), block.size()) != static_cast<ssize_t>(block.size()) || fdatasync(file) != 0)
      return std::perror("fsync_probe"), 1;
    took.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(took.begin(), took.end());
  const auto at = [&](double share) { return took[static_cast<std::size_t>(share * static_cast<double>(took.size() - 1))]; };
  std::printf("{\"p50Us\":%.0f,\"p99Us\":%.0f,\"count\":%d}\n", at(0.5), at(0.99), count);
}
