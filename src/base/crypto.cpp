#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include <array>
#include <climits>
#include <new>

namespace paperclip {

namespace {

constexpr std::size_t key_size = 32, iv_size = 12, tag_size = 16;
constexpr std::size_t longest_sealed_text = INT_MAX;  // OpenSSL counts in int

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

struct CipherContext {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  CipherContext() {
    if (context == nullptr) throw std::bad_alloc();
  }
  ~CipherContext() { EVP_CIPHER_CTX_free(context); }
  CipherContext(const CipherContext&) = delete;
  operator EVP_CIPHER_CTX*() const { return context; }
};

constexpr std::string_view standard_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<signed char, 256> values_of(std::string_view alphabet) {
  std::array<signed char, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<signed char>(i);
  return values;
}
constexpr auto standard_values = values_of(standard_alphabet);
constexpr auto url_values = values_of(url_alphabet);

std::string encode64(std::string_view bytes, std::string_view alphabet, bool padded) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at])); };
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t word = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (int shift : {18, 12, 6, 0}) out += alphabet[word >> shift & 63];
  }
  const std::size_t left = bytes.size() - i;
  if (left == 0) return out;
  const std::uint32_t word = byte(i) << 16 | (left == 2 ? byte(i + 1) << 8 : 0);
  out += alphabet[word >> 18 & 63];
  out += alphabet[word >> 12 & 63];
  if (left == 2) out += alphabet[word >> 6 & 63];
  if (padded) out.append(3 - left, '=');
  return out;
}

std::optional<std::string> decode64(std::string_view text, const std::array<signed char, 256>& values) {
  if (text.ends_with('=')) {
    if (text.size() % 4 != 0) return std::nullopt;
    text.remove_suffix(text.ends_with("==") ? 2 : 1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t word = 0;
  int bits = 0;
  for (const char c : text) {
    const auto value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    word = word << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(word >> bits & 0xff);
      word &= (1u << bits) - 1;
    }
  }
  if (word != 0) return std::nullopt;
  return out;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void wipe(void* memory, std::size_t size) { OPENSSL_cleanse(memory, size); }

std::string sha256(std::string_view bytes) {
  std::string out(32, '\0');
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), bytes_of(out), &size, EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  return out;
}

std::string sha256_hex(std::string_view bytes) { return to_hex(sha256(bytes)); }

struct Sha256::Context {
  EVP_MD_CTX* digest = EVP_MD_CTX_new();
  Context() { start(); }
  ~Context() { EVP_MD_CTX_free(digest); }
  Context(const Context&) = delete;
  void start() {
    if (digest == nullptr || EVP_DigestInit_ex(digest, EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) { EVP_DigestUpdate(context_->digest, bytes.data(), bytes.size()); }

std::string Sha256::finish_hex() {
  std::string out(32, '\0');
  EVP_DigestFinal_ex(context_->digest, bytes_of(out), nullptr);
  context_->start();
  return to_hex(out);
}

std::string hmac_sha256(std::string_view key, std::string_view message) {
  std::string out(32, '\0');
  unsigned size = 0;
  // A null key would mean "the previous one" to OpenSSL.
  const void* key_bytes = key.empty() ? "" : key.data();
  if (HMAC(EVP_sha256(), key_bytes, static_cast<int>(key.size()), bytes_of(message), message.size(), bytes_of(out),
           &size) == nullptr)
    throw std::bad_alloc();
  return out;
}

std::string to_hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_value(hex[i]), low = hex_value(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

std::string base64_encode(std::string_view bytes) { return encode64(bytes, standard_alphabet, true); }
std::optional<std::string> base64_decode(std::string_view text) { return decode64(text, standard_values); }
std::string base64url_encode(std::string_view bytes) { return encode64(bytes, url_alphabet, false); }
std::optional<std::string> base64url_decode(std::string_view text) { return decode64(text, url_values); }

Result<SealedText> aes_256_gcm_encrypt(std::string_view key, std::string_view plaintext, std::string_view context,
                                       Random& random) {
  if (key.size() != key_size) return internal_error("AES-256-GCM: the key must be 32 bytes long");
  if (plaintext.size() > longest_sealed_text || context.size() > longest_sealed_text)
    return internal_error("AES-256-GCM: the text is too long");
  SealedText sealed;
  sealed.iv.resize(iv_size);
  random.fill(bytes_of(sealed.iv), iv_size);
  sealed.ciphertext.resize(plaintext.size());
  sealed.tag.resize(tag_size);
  CipherContext cipher;
  int size = 0;
  unsigned char rest[16];
  const bool done =
      EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), nullptr, bytes_of(key), bytes_of(std::as_const(sealed.iv))) == 1 &&
      (context.empty() ||
       EVP_EncryptUpdate(cipher, nullptr, &size, bytes_of(context), static_cast<int>(context.size())) == 1) &&
      EVP_EncryptUpdate(cipher, bytes_of(sealed.ciphertext), &size, bytes_of(plaintext),
                        static_cast<int>(plaintext.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher, rest, &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, tag_size, sealed.tag.data()) == 1;
  if (!done) return internal_error("AES-256-GCM: encryption failed");
  return sealed;
}

Result<SecretText> aes_256_gcm_decrypt(std::string_view key, const SealedText& sealed, std::string_view context) {
  if (key.size() != key_size) return internal_error("AES-256-GCM: the key must be 32 bytes long");
  if (sealed.iv.size() != iv_size || sealed.tag.size() != tag_size || sealed.ciphertext.size() > longest_sealed_text ||
      context.size() > longest_sealed_text)
    return internal_error("AES-256-GCM: the ciphertext does not belong to this key");
  std::string plaintext(sealed.ciphertext.size(), '\0'), tag = sealed.tag;
  CipherContext cipher;
  int size = 0;
  unsigned char rest[16];
  const bool done = EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), nullptr, bytes_of(key),
                                       bytes_of(std::string_view(sealed.iv))) == 1 &&
                    (context.empty() || EVP_DecryptUpdate(cipher, nullptr, &size, bytes_of(context),
                                                          static_cast<int>(context.size())) == 1) &&
                    EVP_DecryptUpdate(cipher, bytes_of(plaintext), &size, bytes_of(std::string_view(sealed.ciphertext)),
                                      static_cast<int>(sealed.ciphertext.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, tag_size, tag.data()) == 1 &&
                    EVP_DecryptFinal_ex(cipher, rest, &size) == 1;
  if (!done) {
    wipe(plaintext.data(), plaintext.size());
    return internal_error("AES-256-GCM: the ciphertext does not belong to this key");
  }
  return SecretText(std::move(plaintext));
}

Result<std::string> scrypt(std::string_view password, std::string_view salt, std::size_t size, ScryptCost cost) {
  std::string out(size, '\0');
  const std::uint64_t memory_limit = 128 * cost.n * cost.r + 128 * cost.r * cost.p + (1u << 20);
  if (EVP_PBE_scrypt(password.data(), password.size(), bytes_of(salt), salt.size(), cost.n, cost.r, cost.p,
                     memory_limit, bytes_of(out), out.size()) != 1)
    return internal_error("scrypt: these cost parameters are not possible");
  return out;
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace paperclip
