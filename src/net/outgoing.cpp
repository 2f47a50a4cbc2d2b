#include "net/outgoing.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

namespace paperclip::net {

namespace {

constexpr std::size_t small_body = 16 * 1024;  // cheaper to copy than to keep apart
constexpr std::uint64_t file_bytes_per_turn = 1 << 20;

Outgoing::Progress progress_of_error() {
  return errno == EAGAIN || errno == EWOULDBLOCK ? Outgoing::Progress::blocked : Outgoing::Progress::failed;
}

}  // namespace

void Outgoing::add(Response response, const HeadContext& context, bool head_only) {
  append_head(text_, response, context);
  if (head_only || !may_have_body(response.status)) return;
  if (response.file_body) {
    body_ = std::move(response);
    file_at_ = body_.file_body->offset;
    file_left_ = body_.file_body->length;
  } else if (body_size(response) <= small_body) {
    text_ += response.body.empty() ? response.static_body : std::string_view(response.body);
  } else {
    body_ = std::move(response);
    tail_ = body_.body.empty() ? body_.static_body : std::string_view(body_.body);
  }
}

Outgoing::Progress Outgoing::write_to(int socket) {
  if (const auto progress = write_memory(socket); progress != Progress::done) return progress;
  if (file_left_ != 0)
    if (const auto progress = write_file(socket); progress != Progress::done) return progress;
  text_.clear();
  text_sent_ = 0;
  if (!body_.body.empty() || body_.file_body) body_ = Response();
  return Progress::done;
}

Outgoing::Progress Outgoing::write_memory(int socket) {
  while (text_sent_ < text_.size() || !tail_.empty()) {
    iovec parts[2] = {{text_.data() + text_sent_, text_.size() - text_sent_},
                      {const_cast<char*>(tail_.data()), tail_.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    // A head waits for its file, so that both travel together.
    const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT | (file_left_ != 0 ? MSG_MORE : 0));
    if (sent < 0) {
      if (errno == EINTR) continue;
      return progress_of_error();
    }
    const auto of_text = std::min<std::size_t>(static_cast<std::size_t>(sent), text_.size() - text_sent_);
    text_sent_ += of_text;
    tail_.remove_prefix(static_cast<std::size_t>(sent) - of_text);
  }
  return Progress::done;
}

Outgoing::Progress Outgoing::write_file(int socket) {
  std::uint64_t turn = file_bytes_per_turn;
  while (file_left_ != 0) {
    if (turn == 0) return Progress::blocked;
    auto offset = static_cast<off_t>(file_at_);
    const ssize_t sent = ::sendfile(socket, body_.file_body->descriptor, &offset, std::min(file_left_, turn));
    if (sent < 0) {
      if (errno == EINTR) continue;
      return progress_of_error();
    }
    if (sent == 0) return Progress::failed;  // the file shrank: the promised length cannot be kept
    file_at_ += static_cast<std::uint64_t>(sent);
    file_left_ -= static_cast<std::uint64_t>(sent);
    turn -= static_cast<std::uint64_t>(sent);
  }
  return Progress::done;
}

void Outgoing::lend(std::string& buffer) {
  if (text_.capacity() < buffer.capacity() && text_.empty()) text_.swap(buffer);
}

void Outgoing::give_back(std::string& buffer) {
  if (!text_.empty()) return;
  if (text_.capacity() > buffer.capacity()) text_.swap(buffer);
  if (text_.capacity() > std::string().capacity()) text_ = std::string();
}

}  // namespace paperclip::net
