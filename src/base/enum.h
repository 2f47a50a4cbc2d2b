#pragma once

#include <boost/describe/enum.hpp>
#include <boost/describe/enumerators.hpp>
#include <boost/mp11/algorithm.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace paperclip {

/// An enum described with BOOST_DESCRIBE_ENUM. Its enumerators' names are its wire and database words.
/// A word that C++ cannot say (a keyword, a dot) is spelled with a trailing underscore: `public_` is `public`.
template <class E>
concept DescribedEnum = std::is_enum_v<E> && boost::describe::has_describe_enumerators<E>::value;

constexpr std::string_view enum_word(std::string_view name) {
  return !name.empty() && name.back() == '_' ? name.substr(0, name.size() - 1) : name;
}

template <DescribedEnum E>
constexpr std::string_view to_text(E value) {
  std::string_view text;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto d) {
    if (d.value == value) text = enum_word(d.name);
  });
  return text;
}

template <DescribedEnum E>
constexpr std::optional<E> parse_enum(std::string_view text) {
  std::optional<E> found;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto d) {
    if (text == enum_word(d.name)) found = d.value;
  });
  return found;
}

/// All words in declaration order.
template <DescribedEnum E>
std::vector<std::string_view> enum_words() {
  std::vector<std::string_view> words;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto d) { words.push_back(enum_word(d.name)); });
  return words;
}

}  // namespace paperclip
