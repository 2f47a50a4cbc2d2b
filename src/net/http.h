#pragma once

#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

/// The words of HTTP that every room above uses: requests, responses, header fields.
namespace paperclip::net {

enum class Method { get, head, post, put, patch, delete_, options, other };

/// `other` for a method we do not name. Methods are case-sensitive.
Method method_of(std::string_view text);
/// `GET`; empty for `other`.
std::string_view to_text(Method method);

/// Header fields in order. Names compare without regard to case. All text lies in one buffer, so a view that a look-up
/// returned is good until the next change.
class Headers {
 public:
  void add(std::string_view name, std::string_view value);
  /// Replaces every field of that name by this one.
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  /// The value of the first field of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name).has_value(); }
  /// How many fields have that name.
  std::size_t count(std::string_view name) const;
  std::size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }
  /// Room for so many fields with so much text in all.
  void reserve(std::size_t fields, std::size_t text_bytes);

  struct Field {
    std::string_view name, value;
  };
  Field operator[](std::size_t index) const;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Field;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = Field;
    Iterator(const Headers& headers, std::size_t index) : headers_(&headers), index_(index) {}
    Field operator*() const { return (*headers_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const Headers* headers_;
    std::size_t index_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, fields_.size()}; }

 private:
  struct Place {
    std::uint32_t name_at, name_size, value_at, value_size;
  };
  std::string text_;
  std::vector<Place> fields_;
};

struct Request {
  Method method = Method::get;
  std::string method_text;
  std::string target;  // as it stood in the request line: path and query
  std::string path;    // raw, before the first '?'
  std::string query;   // raw, after it
  Headers headers;
  /// Whole. A `Content-Encoding` of gzip or deflate has been undone and its header removed.
  std::string body;
  /// The peer's address without the port, `127.0.0.1` or `::1`.
  std::string remote_address;
  bool keep_alive = true;
};

/// Part of an open file as a response body: sent by the kernel, never in our memory.
struct FileBody {
  FileBody(int descriptor_, std::uint64_t offset_, std::uint64_t length_)
      : descriptor(descriptor_), offset(offset_), length(length_) {}
  ~FileBody();
  FileBody(const FileBody&) = delete;

  const int descriptor;
  const std::uint64_t offset;
  const std::uint64_t length;
};

/// What goes back. The server adds `Date`, `Content-Length` and `Connection`; it answers 500 in place of a response
/// whose header text holds a control character. HEAD is answered with the headers of the same response.
struct Response {
  int status = 200;
  Headers headers;
  std::string body;
  /// A body that lives as long as the program (an embedded page), used when `body` is empty.
  std::string_view static_body = {};
  /// A body from a file, used when set.
  std::shared_ptr<FileBody> file_body = nullptr;

  /// `application/json; charset=utf-8`.
  static Response json(int status, std::string body);
  /// `{"error":message}`.
  static Response error(int status, std::string_view message);
  static Response text(int status, std::string body, std::string_view content_type = "text/plain; charset=utf-8");
  /// Opens the file now, so that what can go wrong does so before anything is sent: not_found, or internal. Sends
  /// `length` bytes from `offset`, both cut to the file's size at this moment. The caller sets `Content-Type`.
  static Result<Response> file(int status, const std::filesystem::path& path, std::uint64_t offset = 0,
                               std::optional<std::uint64_t> length = std::nullopt);
};

/// The standard reason phrase; `Unknown` for a status that has none.
std::string_view reason_phrase(int status);
/// `Sun, 06 Nov 1994 08:49:37 GMT`.
std::string http_date(std::int64_t seconds_since_1970);

}  // namespace paperclip::net
