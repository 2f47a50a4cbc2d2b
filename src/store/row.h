#pragma once

#include <boost/describe/members.hpp>
#include <boost/describe/modifiers.hpp>
#include <boost/mp11/algorithm.hpp>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "store/codec.h"

namespace paperclip::store {

/// One member of a row type and the column of the same name.
struct Column {
  std::string_view name;
  std::size_t offset;
  const Codec* codec;
};

/// The columns of a row type in declaration order, bases first. One object per type, so its address names the type.
struct RowShape {
  std::vector<Column> columns;
};

/// A plain struct described with BOOST_DESCRIBE_STRUCT; members of its described bases count too. Default
/// constructible.
template <class T>
concept DescribedRow = std::is_class_v<T> && boost::describe::has_describe_members<T>::value && !HasStoredAs<T>;

template <class T>
struct IsTuple : std::false_type {};
template <class... Ts>
struct IsTuple<std::tuple<Ts...>> : std::true_type {};
template <class A, class B>
struct IsTuple<std::pair<A, B>> : std::true_type {};

namespace detail {

template <class Row>
using RowMembers =
    boost::describe::describe_members<Row, boost::describe::mod_any_access | boost::describe::mod_inherited>;

template <class Member>
Column column(std::string_view name, const void* row, const Member* member) {
  static_assert(Storable<Member>, "a member's type cannot be stored: see store/codec.h");
  static_assert(CodecOf<Member>::codec.read != nullptr, "a member's type can be a parameter only");
  return {name, static_cast<std::size_t>(reinterpret_cast<const char*>(member) - static_cast<const char*>(row)),
          &CodecOf<Member>::codec};
}

template <class Row>
RowShape make_shape() {
  RowShape shape;
  const Row row{};
  if constexpr (DescribedRow<Row>) {
    boost::mp11::mp_for_each<RowMembers<Row>>(
        [&](auto d) { shape.columns.push_back(column(enum_word(d.name), &row, &(row.*d.pointer))); });
  } else if constexpr (IsTuple<Row>::value) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (shape.columns.push_back(column("", &row, &std::get<I>(row))), ...);
    }(std::make_index_sequence<std::tuple_size_v<Row>>());
  } else {
    shape.columns.push_back(column("", &row, &row));
  }
  return shape;
}

}  // namespace detail

/// The shape of a described struct, of a tuple or pair of scalars, or of a single scalar.
template <class Row>
const RowShape& shape_of() {
  static const RowShape shape = detail::make_shape<Row>();
  return shape;
}

}  // namespace paperclip::store
