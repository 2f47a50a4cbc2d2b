#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "base/result.h"

namespace paperclip::store {

/// What the database refused, or could not do. `Database::write` and `read` turn it into a `Result` error at the edge
/// when the caller's function returns a Result; its message never holds the values that were bound.
class StoreError : public std::runtime_error {
 public:
  StoreError(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }
  Error error() const { return {kind_, what()}; }

 private:
  ErrorKind kind_;
};

/// A row with the same unique key exists. Kind `conflict`.
class UniqueViolation : public StoreError {
 public:
  UniqueViolation(const std::string& message, std::string table, std::vector<std::string> columns,
                  std::string constraint)
      : StoreError(ErrorKind::conflict, message),
        table_(std::move(table)),
        columns_(std::move(columns)),
        constraint_(std::move(constraint)) {}

  /// The table; empty if the engine did not say.
  const std::string& table() const { return table_; }
  /// SQLite names the columns (none for an index over an expression); PostgreSQL does not.
  const std::vector<std::string>& columns() const { return columns_; }
  /// PostgreSQL names the constraint or index; SQLite only an index over an expression.
  const std::string& constraint() const { return constraint_; }

 private:
  std::string table_;
  std::vector<std::string> columns_;
  std::string constraint_;
};

/// A foreign key names no row, or a row is still referred to. Kind `conflict`.
class ForeignKeyViolation : public StoreError {
 public:
  explicit ForeignKeyViolation(const std::string& message) : StoreError(ErrorKind::conflict, message) {}
};

/// The transaction could not be serialised with others, or was a deadlock's victim; run again it may succeed.
class SerializationFailure : public StoreError {
 public:
  explicit SerializationFailure(const std::string& message) : StoreError(ErrorKind::unavailable, message) {}
};

/// The connection to PostgreSQL is gone.
class ConnectionLost : public StoreError {
 public:
  explicit ConnectionLost(const std::string& message) : StoreError(ErrorKind::unavailable, message) {}
};

}  // namespace paperclip::store
