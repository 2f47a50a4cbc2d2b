#include "adapters/template.h"

#include "support.h"

namespace paperclip::adapters {
namespace {

const json::value data =
    object_of(R"({"agent":{"id":"a1","name":"Ada","budget":{"cents":500,"left":0.5}},"tags":["x",{"y":1}],
  "on":true,"none":null,"nested":"{{agent.id}}","":{"":"empty key"},"dash-ed":{"under_score":"ok"}})");

TEST(Template, Fills_in_strings_numbers_booleans_and_json) {
  EXPECT_EQ(render_template("{{agent.name}} ({{ agent.id }}) has {{agent.budget.cents}}, {{agent.budget.left}}, {{on}}",
                            data),
            "Ada (a1) has 500, 0.5, true");
  EXPECT_EQ(render_template("{{agent.budget}} {{tags}}", data), R"({"cents":500,"left":0.5} ["x",{"y":1}])");
  EXPECT_EQ(render_template("{{dash-ed.under_score}}", data), "ok");
}

TEST(Template, What_is_missing_is_nothing) {
  EXPECT_EQ(render_template("[{{none}}][{{agent.missing}}][{{agent.name.further}}][{{tags.0}}][{{a..b}}]", data),
            "[][][][][]");
}

TEST(Template, What_is_no_placeholder_stays) {
  for (std::string text : {"{{}}", "{{ }}", "{{a b}}", "{{a!}}", "{ {a}}", "{{a}", "{{", "}}", "{{\xC3\xA9}}", "{{{"})
    EXPECT_EQ(render_template(text, data), text);
  EXPECT_EQ(render_template("{{{agent.id}}}", data), "{a1}");
  EXPECT_EQ(render_template("{{ x {{agent.id}} }}", data), "{{ x a1 }}");
}

TEST(Template, What_was_filled_in_is_not_filled_in_again) {
  EXPECT_EQ(render_template("{{nested}}", data), "{{agent.id}}");
}

// For any text: with no braces it comes back as it is; with every placeholder made of fresh names it equals the text
// with those cut out.
TEST(Template, Any_text_around_placeholders_survives) {
  std::mt19937 random(7);
  const std::string alphabet = "ab{} \n.-_{}\xC3";
  for (int round = 0; round < 2000; ++round) {
    std::string plain, with_placeholders;
    for (int piece = 0; piece < 6; ++piece) {
      std::string text;
      for (std::size_t i = random() % 8; i > 0; --i) {
        const char c = alphabet[random() % alphabet.size()];
        if (c != '{' && c != '}') text += c;
      }
      plain += text;
      with_placeholders += text + (random() % 2 ? "{{missing}}" : "{{ missing.too }}");
    }
    EXPECT_EQ(render_template(plain, data), plain);
    EXPECT_EQ(render_template(with_placeholders, data), plain);
  }
}

TEST(Template, Never_fails_on_noise) {
  std::mt19937 random(11);
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::size_t i = random() % 24; i > 0; --i) text += "{}a. \n"[random() % 6];
    const std::string once = render_template(text, data);
    EXPECT_LE(once.size(), text.size() + 64);
  }
}

TEST(Template, Sections_are_trimmed_and_empty_ones_dropped) {
  EXPECT_EQ(join_sections({" a \n", "", "\n\n", "b"}), "a\n\nb");
  EXPECT_EQ(join_sections({}), "");
}

}  // namespace
}  // namespace paperclip::adapters
