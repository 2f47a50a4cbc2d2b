#include "plugins/json_schema.h"

#define VALIJSON_USE_EXCEPTIONS 1
#include <algorithm>
#include <boost/json.hpp>
#include <regex>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/id.h"
#include "base/text.h"
#include "base/time.h"

namespace paperclip::plugins {

namespace {

bool is_number(const json::value& value) { return value.is_int64() || value.is_uint64() || value.is_double(); }
double number(const json::value& value) { return value.is_number() ? value.to_number<double>() : 0; }

bool has_type(const json::value& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "null") return value.is_null();
  if (type == "number") return is_number(value);
  if (type == "integer") return is_number(value) && number(value) == static_cast<double>(static_cast<long long>(number(value)));
  return true;
}

// Says in the reference's words what valijson found; finds nothing itself that valijson does not hold against the value.
class Describer {
 public:
  explicit Describer(std::vector<SchemaFailure>& failures) : failures_(failures) {}

  void describe(const json::value& schema, const json::value& value, const std::string& at) {
    if (!schema.is_object()) return;
    const auto& rules = schema.get_object();
    describe_type(rules, value, at);
    if (const auto* choices = rules.if_contains("enum"); choices != nullptr && choices->is_array())
      if (std::find(choices->get_array().begin(), choices->get_array().end(), value) == choices->get_array().end()) add(at, "must be equal to one of the allowed values");
    if (const auto* constant = rules.if_contains("const"); constant != nullptr && *constant != value) add(at, "must be equal to constant");
    if (value.is_string()) describe_text(rules, value.get_string(), at);
    if (is_number(value)) describe_number(rules, number(value), at);
    if (value.is_object()) describe_object(rules, value.get_object(), at);
    if (value.is_array()) describe_array(rules, value.get_array(), at);
    if (const auto* all = rules.if_contains("allOf"); all != nullptr && all->is_array())
      for (const auto& part : all->get_array()) describe(part, value, at);
  }

 private:
  void add(const std::string& at, std::string message) { failures_.push_back({at.empty() ? "/" : at, std::move(message)}); }

  void describe_type(const json::object& rules, const json::value& value, const std::string& at) {
    const auto* type = rules.if_contains("type");
    if (type == nullptr) return;
    if (type->is_string() && !has_type(value, type->get_string())) add(at, "must be " + std::string(type->get_string()));
    if (!type->is_array()) return;
    std::string names;
    for (const auto& one : type->get_array()) {
      if (!one.is_string()) continue;
      if (has_type(value, one.get_string())) return;
      names += (names.empty() ? "" : ",") + std::string(one.get_string());
    }
    add(at, "must be " + names);
  }

  void describe_text(const json::object& rules, std::string_view text, const std::string& at) {
    const auto length = static_cast<double>(utf16_length(text));
    if (const auto* least = rules.if_contains("minLength"); least != nullptr && length < number(*least)) add(at, "must NOT have fewer than " + to_string(*least) + " characters");
    if (const auto* most = rules.if_contains("maxLength"); most != nullptr && length > number(*most)) add(at, "must NOT have more than " + to_string(*most) + " characters");
    if (const auto pattern = string_at(json::value(rules), "pattern")) {
      try {
        if (!std::regex_search(std::string(text), std::regex(*pattern, std::regex::ECMAScript))) add(at, "must match pattern \"" + *pattern + "\"");
      } catch (const std::regex_error&) {
        // A pattern of a richer dialect cannot be judged.
      }
    }
  }

  void describe_number(const json::object& rules, double value, const std::string& at) {
    if (const auto* least = rules.if_contains("minimum"); least != nullptr && value < number(*least)) add(at, "must be >= " + to_string(*least));
    if (const auto* most = rules.if_contains("maximum"); most != nullptr && value > number(*most)) add(at, "must be <= " + to_string(*most));
    if (const auto* least = rules.if_contains("exclusiveMinimum"); least != nullptr && value <= number(*least)) add(at, "must be > " + to_string(*least));
    if (const auto* most = rules.if_contains("exclusiveMaximum"); most != nullptr && value >= number(*most)) add(at, "must be < " + to_string(*most));
  }

  void describe_object(const json::object& rules, const json::object& value, const std::string& at) {
    if (const auto* needed = rules.if_contains("required"); needed != nullptr && needed->is_array())
      for (const auto& name : needed->get_array())
        if (name.is_string() && !value.contains(name.get_string())) add(at, "must have required property '" + std::string(name.get_string()) + "'");
    const auto* properties = rules.if_contains("properties");
    const auto* further = rules.if_contains("additionalProperties");
    for (const auto& item : value) {
      const json::value* rule = properties != nullptr && properties->is_object() ? properties->get_object().if_contains(item.key()) : nullptr;
      if (rule != nullptr) {
        describe(*rule, item.value(), at + "/" + std::string(item.key()));
      } else if (further != nullptr && !rules.contains("patternProperties")) {
        if (further->is_bool() && !further->get_bool()) add(at, "must NOT have additional properties");
        else describe(*further, item.value(), at + "/" + std::string(item.key()));
      }
    }
  }

  void describe_array(const json::object& rules, const json::array& value, const std::string& at) {
    const auto count = static_cast<double>(value.size());
    if (const auto* least = rules.if_contains("minItems"); least != nullptr && count < number(*least)) add(at, "must NOT have fewer than " + to_string(*least) + " items");
    if (const auto* most = rules.if_contains("maxItems"); most != nullptr && count > number(*most)) add(at, "must NOT have more than " + to_string(*most) + " items");
    const auto* items = rules.if_contains("items");
    if (items != nullptr && items->is_object())
      for (std::size_t i = 0; i < value.size(); ++i) describe(*items, value[i], at + "/" + std::to_string(i));
  }

  std::vector<SchemaFailure>& failures_;
};

// Formats that the library does not know, or takes for something else, are not its affair.
json::value without_formats(const json::value& schema) {
  if (schema.is_array()) {
    json::array out;
    for (const auto& item : schema.get_array()) out.push_back(without_formats(item));
    return out;
  }
  if (!schema.is_object()) return schema;
  json::object out;
  for (const auto& item : schema.get_object())
    if (item.key() != "format" || !item.value().is_string()) out[item.key()] = without_formats(item.value());
  return out;
}

bool fits_format(std::string_view format, const std::string& text) {
  static const std::regex email(R"([^\s@]+@[^\s@]+\.[^\s@]+)"), uri(R"([A-Za-z][A-Za-z0-9+.-]*:[^\s]+)"), date(R"(\d{4}-\d{2}-\d{2})");
  if (format == "email") return std::regex_match(text, email);
  if (format == "uri" || format == "url") return std::regex_match(text, uri);
  if (format == "uuid") return is_uuid(text);
  if (format == "date") return std::regex_match(text, date);
  if (format == "date-time") return parse_iso(text).has_value();
  return true;
}

void check_formats(const json::value& schema, const json::value& value, const std::string& at, std::vector<SchemaFailure>& failures) {
  if (!schema.is_object()) return;
  if (const auto format = string_at(schema, "format"); format && value.is_string() && !fits_format(*format, std::string(value.get_string())))
    failures.push_back({at.empty() ? "/" : at, "must match format \"" + *format + "\""});
  const auto* properties = member(schema, "properties");
  if (properties != nullptr && properties->is_object() && value.is_object())
    for (const auto& item : value.get_object())
      if (const auto* rule = properties->get_object().if_contains(item.key())) check_formats(*rule, item.value(), at + "/" + std::string(item.key()), failures);
  if (const auto* items = member(schema, "items"); items != nullptr && value.is_array())
    for (std::size_t i = 0; i < value.get_array().size(); ++i) check_formats(*items, value.get_array()[i], at + "/" + std::to_string(i), failures);
}

void collect_secrets(const json::value& schema, const std::string& at, std::vector<std::string>& paths) {
  if (!schema.is_object()) return;
  if (const auto* properties = member(schema, "properties"); properties != nullptr && properties->is_object()) {
    for (const auto& item : properties->get_object()) {
      const std::string path = at.empty() ? std::string(item.key()) : at + "." + std::string(item.key());
      if (string_at(item.value(), "format") == "secret-ref") paths.push_back(path);
      collect_secrets(item.value(), path, paths);
    }
  }
  for (const char* key : {"allOf", "anyOf", "oneOf"})
    if (const auto* branches = member(schema, key); branches != nullptr && branches->is_array())
      for (const auto& branch : branches->get_array()) collect_secrets(branch, at, paths);
}

}  // namespace

std::vector<SchemaFailure> validate_schema(const json::object& schema, const json::value& value) {
  std::vector<SchemaFailure> failures;
  const json::value rules = without_formats(schema);
  valijson::ValidationResults results;
  bool fits = true;
  try {
    valijson::Schema compiled;
    valijson::SchemaParser parser;
    parser.populateSchema(valijson::adapters::BoostJsonAdapter(rules), compiled);
    valijson::Validator validator;
    fits = validator.validate(compiled, valijson::adapters::BoostJsonAdapter(value), &results);
  } catch (const std::exception&) {
    return failures;
  }
  if (!fits) {
    Describer(failures).describe(rules, value, "");
    valijson::ValidationResults::Error error;
    while (failures.empty() && results.popError(error)) failures.push_back({"/", error.description});
    if (failures.empty()) failures.push_back({"/", "does not match the schema"});
  }
  check_formats(schema, value, "", failures);
  return failures;
}

std::vector<std::string> secret_paths(const json::object& schema) {
  std::vector<std::string> paths;
  collect_secrets(schema, "", paths);
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

}  // namespace paperclip::plugins
