#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "net/server.h"

/// Private to this room: one I/O thread and the connections that live on it.
namespace paperclip::net {

using TcpSocket = boost::asio::ip::tcp::socket;
using SteadyTime = std::chrono::steady_clock::time_point;

/// What the threads of one server share.
struct ServerShared {
  ServerOptions options;
  ServerCounters counters;
  // A stopping server waits here until requests (HTTP connections), then all members, are gone.
  std::mutex mutex;
  std::condition_variable changed;
  std::int64_t http_connections = 0, members = 0;
};

/// Something that lives on a loop until it removes itself. Called on the loop's thread only.
class LoopMember {
 public:
  virtual ~LoopMember() = default;
  /// Ends what is overdue.
  virtual void sweep(SteadyTime now) = 0;
  /// The server stops: finish what is in flight, begin nothing new.
  virtual void wind_down() = 0;
  /// The answers in flight are out: say goodbye.
  virtual void say_goodbye() = 0;
  /// Now.
  virtual void abort() = 0;
};

class IoLoop : public std::enable_shared_from_this<IoLoop> {
 public:
  using Members = std::list<std::shared_ptr<LoopMember>>;

  explicit IoLoop(std::shared_ptr<ServerShared> shared);
  ~IoLoop();

  void start();
  /// Lets the thread end once nothing is left to do, and waits for it.
  void finish();
  bool on_this_thread() const { return std::this_thread::get_id() == thread_id_; }
  /// Runs `work` on the loop's thread, later. Dropped if the loop has ended.
  template <class Work>
  void post(Work work) {
    boost::asio::post(context_, std::move(work));
  }

  // The rest is for the loop's thread.
  boost::asio::io_context& context() { return context_; }
  ServerShared& shared() { return *shared_; }
  bool winding_down() const { return winding_down_; }
  Members::iterator add(std::shared_ptr<LoopMember> member, bool is_http);
  void remove(Members::iterator at, bool is_http);
  /// Calls `visit` for each member, which may remove itself.
  template <class Visit>
  void each(Visit visit) {
    for (auto at = members_.begin(); at != members_.end();) {
      const auto member = *at++;  // keeps it alive through its own removal
      visit(*member);
    }
  }
  void wind_down();
  /// `Sun, 06 Nov 1994 08:49:37 GMT`, now.
  const std::string& date();
  /// One read buffer and one write buffer serve all connections: an idle one holds none.
  char* read_buffer() { return read_buffer_.get(); }
  static constexpr std::size_t read_buffer_size = 64 * 1024;
  std::string& write_buffer() { return write_buffer_; }

 private:
  void schedule_sweep();

  std::shared_ptr<ServerShared> shared_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  boost::asio::steady_timer sweep_timer_{context_};
  std::chrono::milliseconds sweep_interval_;
  bool sweep_scheduled_ = false;
  bool winding_down_ = false;
  Members members_;
  std::unique_ptr<char[]> read_buffer_ = std::make_unique<char[]>(read_buffer_size);
  std::string write_buffer_;
  std::string date_;
  std::int64_t date_second_ = -1;
  std::thread thread_;
  std::thread::id thread_id_;
};

}  // namespace paperclip::net
