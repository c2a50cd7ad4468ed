import Templates
import Testing

/// What happens to whitespace around tags, with trim_blocks and lstrip_blocks on. Expected texts are Jinja2's own.
struct WhitespaceTests {
    @Test(arguments: [
        ("a\n{% if t %}\n  b\n{% endif %}\nc\n", "a\n  b\nc"),
        ("a\n  {% if t %}  \n  b\n  {% endif %}  \nc\n\n", "a\n  \n  b\n  \nc\n"),
        ("x  {% if t %}x{% endif %}  y", "x  x  y"),
        ("line1\n\t{% if t %}\n\ttab\n\t{% endif %}\nend", "line1\n\ttab\nend"),
        ("a{% if t %}\n\nb{% endif %}", "a\nb"),
        ("{% for i in l %}\n  {{ i }},\n{% endfor %}\n", "  3,\n  1,\n  2,\n  1,\n"),
        ("  {{ 1 }}\n{{ 2 }}\n", "  1\n2"),
    ])
    func `blocks take their line's indentation and newline with them`(source: String, expected: String) throws {
        #expect(try render(source) == expected)
    }

    @Test(arguments: [
        ("  {%+ if t %}x{% endif %}\n  y", "  x  y"),
        ("  {%- if t -%}  x  {%- endif -%}  y", "xy"),
        ("a\n\n {%- if t +%}\n x\n{%- endif +%}\n  y", "a\n x\n  y"),
        ("a {{- 1 -}} b {{ 2 }} c\n{{ 3 }}\n", "a1b 2 c\n3"),
        ("{% for i in l -%}\n  {{ i }},\n{%- endfor %}\n", "3,1,2,1,"),
        ("\u{A0}{% if t %}x{% endif %}", "x"),
    ])
    func `signs strip more or less`(source: String, expected: String) throws {
        #expect(try render(source) == expected)
    }

    @Test(arguments: [
        ("{# c #}\n  {# d #}  \nx {#- e -#}  y\n {# f +#}\nz", "  \nxy\n\nz"),
        ("{#+ x #}a{#- -#}  b", "ab"),
        ("{# {{ x }} {% if %} #}y", "y"),
    ])
    func `comments vanish as blocks do`(source: String, expected: String) throws {
        #expect(try render(source) == expected)
    }

    @Test(arguments: [
        ("{% raw %}\n {{ x }} {% if %}\n{% endraw %}\nz", "\n {{ x }} {% if %}\nz"),
        ("  {% raw -%}  a {{ b }}  {%- endraw %}\n z", "a {{ b }} z"),
        ("{%raw%}{{{%endraw%}{{ '}}' }}", "{{}}"),
    ])
    func `raw blocks keep their text`(source: String, expected: String) throws {
        #expect(try render(source) == expected)
    }

    @Test(arguments: [
        ("\r\na\r\n{% if t %}\r\nb\r{% endif %}\rc\r\n", "\na\nb\nc"),
        ("a\n\n", "a\n"),
        ("\n", ""),
    ])
    func `newlines of any kind become one kind, and the last one goes`(source: String, expected: String) throws {
        #expect(try render(source) == expected)
    }

    @Test(arguments: [
        ("{} { } }} %} #} {", "{} { } }} %} #} {"),
        ("{{'{'}}{", "{{"),
        ("{{ '{% x %}' }}{% if '%}' %}a{% endif %}", "{% x %}a"),
    ])
    func `braces that open no tag are text`(source: String, expected: String) throws {
        #expect(try render(source) == expected)
    }
}
