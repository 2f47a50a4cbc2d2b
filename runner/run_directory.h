#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

/// What a run leaves on disk. One directory per run, mode 0700, made before the runner starts:
///
///     <run id>/
///       run.json      what was started: argv, cwd, names (never values) of the environment, limits, boot id
///       runner.pid    who runs it, JSON: pid and start time of guardian and runner, pid and group of the agent
///       output.log    append only: one record after another, see below
///       control.sock  where a server attaches (frames.h); bound relative to the directory, any path length works
///       exit.json     how it ended; written beside, renamed, later synced. Its presence means: ended
///
/// As long as guardian or runner lives, an exclusive flock on the directory itself is held. The kernel drops it, so
/// "locked" means alive and "not locked, no exit.json" means lost; pids are never compared to find that out.
/// This header is shared by both sides and depends on nothing.
namespace paperclip::runner {

/// Where a runner finds its run directory, open and locked.
inline constexpr int inherited_directory = 3;

namespace file {
inline constexpr const char* run = "run.json";
inline constexpr const char* pids = "runner.pid";
inline constexpr const char* output = "output.log";
inline constexpr const char* control = "control.sock";
inline constexpr const char* exit = "exit.json";
/// Files are written under their name with this and renamed. Such a file that is there already is reused.
inline constexpr const char* fresh_suffix = ".new";
}  // namespace file

/// A record of output.log, all numbers little-endian:
///
///     0  u32 magic       "PCL1"
///     4  u8  stream      RecordStream
///     5  u8  flags       0
///     6  u16 length      bytes that follow the header, at most record_bytes_limit
///     8  i64 time        ms since 1970 when the runner read the bytes
///     16 u32 checksum    CRC-32 of bytes 4–15 and of what follows the header
///     20 bytes
///
/// A record whose header or bytes are cut, or whose checksum differs, ends the log: the runner or the machine died there.
enum class RecordStream : std::uint8_t { stdout_ = 1, stderr_ = 2 };

inline constexpr std::size_t record_header_bytes = 20;
/// So small that one record always fits into one frame.
inline constexpr std::size_t record_bytes_limit = 16 * 1024 - 64;
inline constexpr std::uint32_t record_magic = 0x314c4350;

struct Record {
  RecordStream stream = RecordStream::stdout_;
  std::int64_t time_ms = 0;
  std::string_view bytes;
  std::size_t size() const { return record_header_bytes + bytes.size(); }
};

namespace detail {
inline constexpr auto crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0xedb88320u : 0);
    table[i] = crc;
  }
  return table;
}();

inline std::uint32_t crc32(std::uint32_t crc, const char* bytes, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) crc = detail::crc_table[(crc ^ static_cast<unsigned char>(bytes[i])) & 0xff] ^ (crc >> 8);
  return crc;
}

template <class T>
inline void store(char* at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
}
template <class T>
inline T load(const char* at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * i);
  return static_cast<T>(value);
}
}  // namespace detail

inline std::uint32_t record_checksum(const char* header, std::string_view bytes) {
  const std::uint32_t crc = detail::crc32(~0u, header + 4, 12);
  return ~detail::crc32(crc, bytes.data(), bytes.size());
}

/// Fills the header in front of `record.bytes`.
inline void write_record_header(const Record& record, char* header) {
  detail::store<std::uint32_t>(header, record_magic);
  header[4] = static_cast<char>(record.stream);
  header[5] = 0;
  detail::store<std::uint16_t>(header + 6, static_cast<std::uint16_t>(record.bytes.size()));
  detail::store<std::int64_t>(header + 8, record.time_ms);
  detail::store<std::uint32_t>(header + 16, record_checksum(header, record.bytes));
}

/// The length of the record at the start of `log`, header included; nullopt if it is cut or none begins there.
inline std::optional<std::size_t> record_size(std::string_view log) {
  if (log.size() < record_header_bytes || detail::load<std::uint32_t>(log.data()) != record_magic) return std::nullopt;
  const std::size_t size = record_header_bytes + detail::load<std::uint16_t>(log.data() + 6);
  if (size > record_header_bytes + record_bytes_limit || log.size() < size) return std::nullopt;
  return size;
}

enum class RecordCheck { checksum, none };

/// The record at the start of `log`; nullopt if it is cut, damaged, or none begins there.
inline std::optional<Record> read_record(std::string_view log, RecordCheck check = RecordCheck::checksum) {
  const auto size = record_size(log);
  if (!size) return std::nullopt;
  const auto stream = static_cast<RecordStream>(log[4]);
  if (stream != RecordStream::stdout_ && stream != RecordStream::stderr_) return std::nullopt;
  const std::string_view bytes = log.substr(record_header_bytes, *size - record_header_bytes);
  if (check == RecordCheck::checksum && detail::load<std::uint32_t>(log.data() + 16) != record_checksum(log.data(), bytes))
    return std::nullopt;
  return Record{stream, detail::load<std::int64_t>(log.data() + 8), bytes};
}

}  // namespace paperclip::runner
