#pragma once

#include <functional>
#include <string>
#include <string_view>

/// Pieces of output parsers: lines out of chunks, and the end of a stream.
namespace paperclip::adapters {

/// Joins chunks into lines, whatever they were cut at. A line longer than the limit is dropped as a whole, because
/// nothing that matters to us is that long (an inlined image is).
class LineReader {
 public:
  explicit LineReader(std::function<void(std::string_view line)> on_line, std::size_t limit = 4u << 20)
      : on_line_(std::move(on_line)), limit_(limit) {}

  void feed(std::string_view bytes);
  /// The last line, if it lacks its newline.
  void finish();

 private:
  void take(std::string_view piece);
  void end_line();

  std::function<void(std::string_view)> on_line_;
  std::size_t limit_;
  std::string partial_;
  bool too_long_ = false;
};

/// What a run's resultJson keeps of each stream, in bytes. The reference keeps 4 MiB; no route shows more than 4096
/// characters of it, the whole is in the run log, and a hundred runs must fit into memory.
inline constexpr std::size_t kept_output = 256u << 10;

/// The last bytes of a stream, never beginning inside a character.
class OutputTail {
 public:
  explicit OutputTail(std::size_t limit = kept_output) : limit_(limit) {}
  void feed(std::string_view bytes);
  /// Valid UTF-8: a byte that belongs to no character is replaced by U+FFFD.
  std::string text() const;

 private:
  std::size_t limit_;
  std::string bytes_;
  bool cut_ = false;
};

/// The first line with anything on it, trimmed; empty if there is none.
std::string first_line(std::string_view text);

/// Invalid sequences replaced by U+FFFD; U+0000 left out, which no database can hold.
std::string storable_text(std::string_view bytes);

}  // namespace paperclip::adapters
