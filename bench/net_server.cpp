// A bare server to measure the HTTP layer with wrk:
//   net_server [port] [io threads]          then  wrk -t1 -c64 -d10 http://127.0.0.1:<port>/health
// /health is answered inline, /pool through a worker pool, /large with 100 kB.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "net/server.h"
#include "net/worker_pool.h"

int main(int argc, char** argv) {
  using namespace paperclip;
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  net::WorkerPool pool(2);
  static const std::string large(100'000, 'x');
  net::ServerOptions options;
  options.port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  options.io_threads = argc > 2 ? std::atoi(argv[2]) : 2;
  options.handler = [&](net::Request request, net::Responder respond) {
    if (request.path == "/health") return respond(net::Response::json(200, R"({"status":"ok","version":"0.3.1"})"));
    if (request.path == "/pool") {
      auto shared = std::make_shared<net::Responder>(std::move(respond));
      if (!pool.post([shared] { (*shared)(net::Response::json(200, R"({"status":"ok"})")); })) return;
      return;
    }
    if (request.path == "/large") {
      net::Response response;
      response.headers.add("Content-Type", "text/plain");
      response.static_body = large;
      return respond(std::move(response));
    }
    respond(net::Response::error(404, "Not found"));
  };
  auto server = net::Server::listen(std::move(options));
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message.c_str());
    return 1;
  }
  std::printf("%s\n", (*server)->url().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  (*server)->stop(Deadline::in(std::chrono::seconds(5)));
}
