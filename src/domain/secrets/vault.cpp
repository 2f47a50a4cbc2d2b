#include "domain/secrets/vault.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "base/crypto.h"
#include "base/text.h"

namespace paperclip::domain {

namespace {

constexpr std::string_view scheme = "local_encrypted_v1";

// 64 hex digits, or base64 of 32 bytes, or 32 raw bytes, tried in that order.
std::optional<std::string> parse_key(std::string_view text) {
  if (text.size() == 64)
    if (auto key = from_hex(text)) return key;
  if (auto key = base64_decode(text); key && key->size() == 32) return key;
  if (text.size() == 32) return std::string(text);
  return std::nullopt;
}

Result<std::string> read_or_make_key_file(const std::filesystem::path& path, Random& random) {
  std::error_code ec;
  std::filesystem::create_directories(path.parent_path(), ec);
  if (!std::filesystem::exists(path, ec)) {
    std::string raw(32, '\0');
    random.fill(reinterpret_cast<unsigned char*>(raw.data()), raw.size());
    const std::string text = base64_encode(raw);
    // O_EXCL: of two first starts only one makes the key, the other reads it.
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
      return internal_error("Cannot create the secrets master key " + path.string() + ": " + std::strerror(errno));
    if (fd >= 0) {
      const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
      ::close(fd);
      if (!written) {
        ::unlink(path.c_str());
        return internal_error("Cannot write the secrets master key " + path.string() + ": " + std::strerror(errno));
      }
    }
  }
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return internal_error("Cannot read the secrets master key " + path.string());
  return std::string(trim(text.str()));
}

}  // namespace

Result<SecretVault> SecretVault::open(const std::string& configured, const std::filesystem::path& key_file, Random& random) {
  if (!trim(configured).empty()) {
    auto key = parse_key(trim(configured));
    if (!key)
      return bad_request("Invalid PAPERCLIP_SECRETS_MASTER_KEY (expected 32-byte base64, 64-char hex, or raw 32-char string)");
    return SecretVault(Secret<std::string>(*std::move(key)), random);
  }
  auto key = parse_key(TRY(read_or_make_key_file(key_file, random)));
  if (!key) return bad_request("Invalid secrets master key in " + key_file.string() + " (expected base64 of 32 bytes)");
  return SecretVault(Secret<std::string>(*std::move(key)), random);
}

RawJson SecretVault::seal(const Secret<std::string>& plain) const {
  // The key is 32 bytes long, which `open` made sure of: nothing else can fail here.
  const auto sealed = aes_256_gcm_encrypt(key_.expose(), plain.expose(), {}, *random_);
  if (!sealed) throw std::logic_error(sealed.error().message);
  return RawJson(json::value{{"scheme", scheme},
                             {"iv", base64_encode(sealed->iv)},
                             {"tag", base64_encode(sealed->tag)},
                             {"ciphertext", base64_encode(sealed->ciphertext)}});
}

Result<Secret<std::string>> SecretVault::unseal(const RawJson& material) const {
  const json::value value = material.parse();
  const auto iv = base64_decode(string_at(value, "iv").value_or("")), tag = base64_decode(string_at(value, "tag").value_or("")),
             ciphertext = base64_decode(string_at(value, "ciphertext").value_or(""));
  if (string_at(value, "scheme") != scheme || !iv || !tag || !ciphertext)
    return unprocessable("The stored secret is not in a form this server can decrypt");
  auto plain = aes_256_gcm_decrypt(key_.expose(), SealedText{*iv, *ciphertext, *tag});
  if (!plain) return unprocessable("The stored secret was encrypted with another master key");
  return plain;
}

}  // namespace paperclip::domain
