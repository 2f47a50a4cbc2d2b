#pragma once

#include <string>
#include <string_view>

#include "net/response_head.h"

/// Private to this room.
namespace paperclip::net {

/// What a connection still has to write: heads and small bodies in one text, then at most one large body, which is
/// neither copied nor, if it is a file, read by us.
class Outgoing {
 public:
  enum class Progress { done, blocked, failed };

  bool empty() const { return text_sent_ == text_.size() && tail_.empty() && file_left_ == 0; }
  /// True while a large body waits: nothing more can be added until it is out.
  bool is_full() const { return !tail_.empty() || file_left_ != 0 || text_.size() > most_text; }
  void add(Response response, const HeadContext& context, bool head_only);
  void add_text(std::string_view text) { text_ += text; }
  /// Writes what the socket takes without waiting. `blocked` also after a good deal of a file: others want their turn.
  Progress write_to(int socket);
  /// Takes over a buffer with room in it, and gives it back once empty.
  void lend(std::string& buffer);
  void give_back(std::string& buffer);

 private:
  static constexpr std::size_t most_text = 64 * 1024;
  Progress write_memory(int socket);
  Progress write_file(int socket);

  std::string text_;
  std::size_t text_sent_ = 0;
  Response body_;  // owns what tail_ looks at
  std::string_view tail_;
  std::uint64_t file_at_ = 0, file_left_ = 0;
};

}  // namespace paperclip::net
