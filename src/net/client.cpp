#include "net/client.h"

#include <curl/curl.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <future>
#include <mutex>
#include <new>
#include <thread>
#include <unordered_map>
#include <vector>

#include "net/exchange.h"

namespace paperclip::net {

struct HttpClient::State {
  struct Arrival {
    RequestId id;
    std::unique_ptr<Exchange> exchange;
  };

  CURLM* multi = nullptr;
  std::mutex mutex;
  std::vector<Arrival> arrivals;
  std::vector<RequestId> cancellations;
  bool stopping = false;
  RequestId last_id = 0;
  // The thread's own from here on.
  std::unordered_map<RequestId, std::unique_ptr<Exchange>> exchanges;
  std::unordered_map<CURL*, RequestId> ids;
  std::thread thread;

  void run();
  bool take_orders();
  void begin(RequestId id, std::unique_ptr<Exchange> exchange);
  std::unique_ptr<Exchange> take(RequestId id);
  void collect();
};

HttpClient::HttpClient() : state_(std::make_unique<State>()) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  state_->multi = curl_multi_init();
  if (initialised != CURLE_OK || state_->multi == nullptr) throw std::bad_alloc();
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

HttpClient::~HttpClient() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  curl_multi_wakeup(state_->multi);
  state_->thread.join();
  curl_multi_cleanup(state_->multi);
}

HttpClient::RequestId HttpClient::send(ClientRequest request, Callback done) {
  auto exchange = std::make_unique<Exchange>(std::move(request), std::move(done));
  std::unique_lock lock(state_->mutex);
  const RequestId id = ++state_->last_id;
  state_->arrivals.push_back({id, std::move(exchange)});
  lock.unlock();
  curl_multi_wakeup(state_->multi);
  return id;
}

Result<ClientResponse> HttpClient::send_blocking(ClientRequest request) {
  // Shared: the waiting side may be gone before set_value has returned.
  const auto answer = std::make_shared<std::promise<Result<ClientResponse>>>();
  auto waiting = answer->get_future();
  send(std::move(request), [answer](Result<ClientResponse> result) { answer->set_value(std::move(result)); });
  return waiting.get();
}

void HttpClient::cancel(RequestId id) {
  {
    std::lock_guard lock(state_->mutex);
    state_->cancellations.push_back(id);
  }
  curl_multi_wakeup(state_->multi);
}

void HttpClient::State::run() {
  // OpenSSL writes to sockets without MSG_NOSIGNAL.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  pthread_setname_np(pthread_self(), "net-client");
  while (take_orders()) {
    int running = 0;
    curl_multi_perform(multi, &running);
    collect();
    // Ends early for sockets, curl's own timers and wakeups.
    curl_multi_poll(multi, nullptr, 0, 60'000, nullptr);
  }
}

// False once the client is stopping and the last callback has returned.
bool HttpClient::State::take_orders() {
  while (true) {
    std::unique_lock lock(mutex);
    auto arrived = std::exchange(arrivals, {});
    auto cancelled = std::exchange(cancellations, {});
    const bool stop = stopping;
    lock.unlock();
    for (auto& [id, exchange] : arrived) begin(id, std::move(exchange));
    if (stop)
      for (const auto& [id, exchange] : exchanges) cancelled.push_back(id);
    for (const RequestId id : cancelled)
      if (const auto exchange = take(id))
        exchange->finish(
            Error(ErrorKind::unavailable, stop ? "The HTTP client is stopping" : "The request was cancelled"));
    if (!stop) return true;
    lock.lock();
    if (arrivals.empty()) return false;  // else a callback has sent once more
  }
}

void HttpClient::State::begin(RequestId id, std::unique_ptr<Exchange> exchange) {
  if (auto ready = exchange->prepare(); !ready) return exchange->finish(std::move(ready).error());
  curl_multi_add_handle(multi, exchange->easy());
  ids.emplace(exchange->easy(), id);
  exchanges.emplace(id, std::move(exchange));
}

std::unique_ptr<Exchange> HttpClient::State::take(RequestId id) {
  const auto found = exchanges.find(id);
  if (found == exchanges.end()) return nullptr;
  auto exchange = std::move(found->second);
  exchanges.erase(found);
  ids.erase(exchange->easy());
  curl_multi_remove_handle(multi, exchange->easy());
  return exchange;
}

void HttpClient::State::collect() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;  // the message is gone once its handle is removed
    const auto exchange = take(ids.at(message->easy_handle));
    exchange->finish_with(code);
  }
}

}  // namespace paperclip::net
