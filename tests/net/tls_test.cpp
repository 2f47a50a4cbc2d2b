#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <future>

#include "net/client.h"
#include "net/server.h"
#include "net/websocket_client.h"
#include "raw_client.h"

// Both clients against a real TLS end with a certificate made for `localhost`.
namespace paperclip::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

struct Certificate {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* x509 = X509_new();
  std::string file = "/tmp/paperclip-tls-test-" + std::to_string(::getpid());

  Certificate() {
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key);
    X509_NAME* name = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(x509, name);
    for (const auto& [kind, value] :
         {std::pair(NID_subject_alt_name, "DNS:localhost"), std::pair(NID_basic_constraints, "critical,CA:TRUE")}) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
      X509_add_ext(x509, extension, -1);
      X509_EXTENSION_free(extension);
    }
    X509_sign(x509, key, EVP_sha256());
    std::FILE* out = std::fopen(file.c_str(), "w");
    PEM_write_X509(out, x509);
    std::fclose(out);
  }
  ~Certificate() {
    ::unlink(file.c_str());
    X509_free(x509);
    EVP_PKEY_free(key);
  }
};

// Takes TLS off connections and passes them on to a plain port.
class TlsFront {
 public:
  TlsFront(const Certificate& certificate, std::uint16_t plain_port) : plain_port_(plain_port) {
    SSL_CTX_use_certificate(tls_.native_handle(), certificate.x509);
    SSL_CTX_use_PrivateKey(tls_.native_handle(), certificate.key);
    accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~TlsFront() {
    context_.stop();
    thread_.join();
  }
  std::string port() const { return std::to_string(acceptor_.local_endpoint().port()); }

 private:
  struct Link {
    asio::ssl::stream<tcp::socket> outer;
    tcp::socket inner;
    char there[4096], back[4096];
  };

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code failed, tcp::socket socket) {
      if (failed) return;
      auto link =
          std::make_shared<Link>(asio::ssl::stream<tcp::socket>(std::move(socket), tls_), tcp::socket(context_));
      link->outer.async_handshake(asio::ssl::stream_base::server, [this, link](boost::system::error_code refused) {
        if (refused) return;
        link->inner.connect({asio::ip::address_v4::loopback(), plain_port_});
        pump(link, link->outer, link->inner, link->there);
        pump(link, link->inner, link->outer, link->back);
      });
      accept();
    });
  }
  template <class From, class To, std::size_t Size>
  static void pump(std::shared_ptr<Link> link, From& from, To& to, char (&buffer)[Size]) {
    from.async_read_some(
        asio::buffer(buffer), [link, &from, &to, &buffer](boost::system::error_code ended, std::size_t size) {
          if (ended) return link->inner.close(ended), link->outer.lowest_layer().close(ended), void();
          asio::async_write(to, asio::buffer(buffer, size),
                            [link, &from, &to, &buffer](boost::system::error_code failed, std::size_t) {
                              if (!failed) pump(link, from, to, buffer);
                            });
        });
  }

  asio::io_context context_;
  asio::ssl::context tls_{asio::ssl::context::tls_server};
  tcp::acceptor acceptor_{context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  std::uint16_t plain_port_;
  std::thread thread_;
};

class Tls : public ::testing::Test {
 protected:
  void SetUp() override {
    ServerOptions options;
    options.handler = [](Request, Responder respond) { respond(Response::text(200, "reached")); };
    options.upgrade_handler = [](const Request&, Upgrade upgrade) {
      upgrade.accept({[](std::shared_ptr<WebSocket> socket) {
                        socket->send_text(std::string("hello over TLS"));
                        socket->close();
                      },
                      {}});
    };
    server_ = *Server::listen(std::move(options));
    front_ = std::make_unique<TlsFront>(certificate_, server_->port());
  }
  Deadline soon() { return Deadline::in(patience()); }
  Certificate certificate_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<TlsFront> front_;
};

TEST_F(Tls, A_certificate_nobody_vouches_for_is_refused) {
  const auto socket = WebSocketClient::connect("wss://localhost:" + front_->port() + "/", {}, soon());
  ASSERT_FALSE(socket.ok());
  EXPECT_EQ(socket.error().kind, ErrorKind::bad_gateway);
  EXPECT_NE(socket.error().message.find("certificate verify failed"), std::string::npos) << socket.error().message;
  HttpClient client;
  const auto response = client.send_blocking({.url = "https://localhost:" + front_->port() + "/?secret"});
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().kind, ErrorKind::bad_gateway);
  EXPECT_NE(response.error().message.find("certificate"), std::string::npos) << response.error().message;
  EXPECT_EQ(response.error().message.find("secret"), std::string::npos);
  EXPECT_EQ(server_->counters().accepted, 0u);
}

TEST_F(Tls, A_WebSocket_opens_when_the_certificate_is_trusted_and_names_the_host) {
  ::setenv("SSL_CERT_FILE", certificate_.file.c_str(), 1);
  auto socket = WebSocketClient::connect("wss://localhost:" + front_->port() + "/events", {}, soon());
  const auto other_name = WebSocketClient::connect("wss://127.0.0.1:" + front_->port() + "/events", {}, soon());
  ::unsetenv("SSL_CERT_FILE");
  ASSERT_TRUE(socket.ok()) << socket.error().message;
  EXPECT_EQ((*socket)->read(soon()).value(), "hello over TLS");
  EXPECT_FALSE((*socket)->read(soon()).value().has_value());
  EXPECT_FALSE(other_name.ok());
}

}  // namespace
}  // namespace paperclip::net
